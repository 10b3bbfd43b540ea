// Picture files: PNG, JPEG, PNM (P2, P5, P6), IDX (gzipped or not) and raw pixels. Told apart by
// content, not by name.
#ifndef HELLOCNN_CLI_IMAGES_DECODE_H_
#define HELLOCNN_CLI_IMAGES_DECODE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/images/picture.h"

namespace hellocnn::cli {

// Larger pictures are rejected by their header, before memory is taken for them.
inline constexpr std::int64_t kMaxPixels = std::int64_t{1} << 25;

struct DecodeOptions {
  bool invert = false;                // dark on light becomes light on dark
  std::optional<std::int64_t> index;  // of a file with many images, only this one, from 0
  std::int64_t limit = 10;  // of a file with many images, at most so many, >= 1; not with `index`
};

struct DecodedFile {
  std::vector<Picture> pictures;
  std::int64_t first_index = 0;  // index in the file of the first of `pictures`
  std::int64_t total = 1;        // images in the file
};

// Reads `path` once, so that it may be a pipe; "-" is standard input. Raw pixels are known by their
// size: 784 bytes are 28x28 and 1,024 bytes 32x32 grey levels, 4,096 bytes 32x32 normalised
// little-endian floats. Blocks on the disk or the pipe. Errors name the file. NOT_FOUND: no such
// file. INVALID_ARGUMENT: not a picture, broken, or larger than 1 GiB. OUT_OF_RANGE: no image has
// that index. Otherwise what the system says, such as PERMISSION_DENIED.
absl::StatusOr<DecodedFile> DecodeFile(const std::string& path, const DecodeOptions& options);

// One picture in memory, of any of the formats but IDX. Colours become grey levels. Transparent
// parts become background: black, that is, after inversion too. Errors as above; `name` stands for
// the file.
absl::StatusOr<Picture> DecodePicture(const std::string& name, const std::string& bytes,
                                      bool invert);

// Whether the border is mostly bright, as it is for dark ink on light paper: then --invert is
// likely wanted.
bool LooksDarkOnLight(const Picture& picture);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_DECODE_H_
