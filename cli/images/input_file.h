// Reads files and pipes from front to back, and unpacks them if they are gzipped.
#ifndef HELLOCNN_CLI_IMAGES_INPUT_FILE_H_
#define HELLOCNN_CLI_IMAGES_INPUT_FILE_H_

#include <zlib.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace hellocnn::cli {

// Thread-compatible.
class InputFile {
 public:
  // Opens `path` once, as OpenInput of base/input.h does and with its errors: it may be a pipe.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  // Returns the next `count` bytes, or fewer at the end. Memory grows with the bytes that there
  // are, not with `count`. Blocks. INVALID_ARGUMENT: the compressed bytes are damaged or cut off.
  // Otherwise the code and the text that belong to errno.
  absl::StatusOr<std::string> Read(std::size_t count);

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  using File = std::unique_ptr<gzFile_s, Close>;

  InputFile(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  File file_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_INPUT_FILE_H_
