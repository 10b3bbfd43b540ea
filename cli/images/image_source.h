// Reads images one after another, from files that hold one picture, raw pixels or many images.
#ifndef HELLOCNN_CLI_IMAGES_IMAGE_SOURCE_H_
#define HELLOCNN_CLI_IMAGES_IMAGE_SOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/images/input_file.h"
#include "cli/images/paths.h"

namespace hellocnn::cli {

struct SourceOptions {
  bool raw = false;                   // files hold raw pixels, not pictures
  std::optional<std::int64_t> index;  // in a file with many images: only this one, from 0
  std::optional<std::int64_t> limit;  // in a file with many images: the most to read, >= 1
};

// One image as its file holds it.
struct SourceImage {
  std::string file;
  std::int64_t index = 0;  // in the file
  std::int64_t total = 1;  // images in the file
  absl::Status status;     // of reading; if it is not OK, there are no bytes
  std::string bytes;
  // For an image out of many: its size; `bytes` are grey levels. 0 for a file of its own.
  int width = 0;
  int height = 0;
};

// Opens each file once and reads it from front to back. Takes memory for one picture file, or for
// one image of a file with many. Thread-compatible.
class ImageSource {
 public:
  ImageSource(Paths paths, const SourceOptions& options);

  // Returns true if Next would not wait for the list of files. Waits for that, at most for
  // `patience`.
  bool Ready(absl::Duration patience);

  // Returns the next image, or nullopt at the end. A file that cannot be read yields one image
  // whose status says why. Blocks on disks and pipes.
  std::optional<SourceImage> Next();

 private:
  // An IDX file that is being read.
  struct Images {
    InputFile file;
    std::int64_t total;
    std::int64_t next;  // index of the next image
    std::int64_t end;   // index after the last image to read
    int width;
    int height;
  };

  SourceImage Open(const std::string& path);
  // Reads the rest of the header of an IDX file, and skips to the first image. `start` has the
  // first four bytes.
  absl::Status OpenIdx(InputFile file, const std::string& start);
  SourceImage NextOfIdx();

  Paths paths_;
  const SourceOptions options_;
  std::optional<Images> images_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_IMAGE_SOURCE_H_
