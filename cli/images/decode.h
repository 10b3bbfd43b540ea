// Decodes picture files: PNG, JPEG, PNM (P2, P5, P6), IDX (gzipped or not) and raw pixels. The
// format is recognised by the content, not by the name.
#ifndef HELLOCNN_CLI_IMAGES_DECODE_H_
#define HELLOCNN_CLI_IMAGES_DECODE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/images/picture.h"

namespace hellocnn::cli {

// Larger pictures are rejected when their header is read, before memory is allocated for them.
inline constexpr std::int64_t kMaxPixels = std::int64_t{1} << 25;

struct DecodeOptions {
  bool invert = false;                // true: dark on light becomes light on dark
  std::optional<std::int64_t> index;  // in a file with many images: only this one, from 0
  std::int64_t limit = 10;  // in a file with many images: the most to read, >= 1; not with `index`
};

struct DecodedFile {
  std::vector<Picture> pictures;
  std::int64_t first_index = 0;  // index in the file of the first of `pictures`
  std::int64_t total = 1;        // images in the file
};

// Reads `path` once, so that it may be a pipe; "-" is standard input. Raw pixels are recognised by
// their size. 784 bytes are 28x28 grey levels, 1,024 bytes are 32x32 grey levels, and 4,096 bytes
// are 32x32 normalised little-endian floats. Blocks on the disk or the pipe. Errors name the file.
// NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is not a picture, is broken, or is
// larger than 1 GiB. OUT_OF_RANGE: no image has that index. Other errors are those of the system,
// such as PERMISSION_DENIED.
absl::StatusOr<DecodedFile> DecodeFile(const std::string& path, const DecodeOptions& options);

// Decodes one picture in memory, in any of the formats except IDX. Colours become grey levels.
// Transparent parts become background, which is black, even after inversion. Returns the errors of
// DecodeFile; `name` stands for the file.
absl::StatusOr<Picture> DecodePicture(const std::string& name, const std::string& bytes,
                                      bool invert);

// Returns true if the border is mostly bright, as it is for dark ink on light paper. The user then
// probably wants --invert.
bool LooksDarkOnLight(const Picture& picture);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_DECODE_H_
