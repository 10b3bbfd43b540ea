// A file for a result, which is opened before the work begins whose result it takes.
#ifndef HELLOCNN_CLI_OUTPUT_FILE_H_
#define HELLOCNN_CLI_OUTPUT_FILE_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn::cli {

// Owns the open file. Movable; not thread-safe.
class OutputFile {
 public:
  // Opens `path`, which may be a pipe or a device, for writing. Its content stays until Write.
  // Blocks until the other end of a named pipe is opened. Errors name the path, with the code and
  // the text that belong to errno.
  static absl::StatusOr<OutputFile> Open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  // Without a Write, removes the file if Open made it.
  ~OutputFile();

  // Replaces the content by `text`. To be called once. Errors are like those of Open.
  absl::Status Write(std::string_view text);

 private:
  OutputFile(std::string path, int file, bool made)
      : path_(std::move(path)), file_(file), made_(made) {}

  const std::string path_;
  int file_;   // -1 once it is closed
  bool made_;  // by Open
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_OUTPUT_FILE_H_
