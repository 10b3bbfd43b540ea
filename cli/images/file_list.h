// Reads the names in a list of files as they come, from a file or a pipe.
#ifndef HELLOCNN_CLI_IMAGES_FILE_LIST_H_
#define HELLOCNN_CLI_IMAGES_FILE_LIST_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::cli {

// A list is separated by zero bytes if there is one in the piece of at most 64 KiB that has the
// first separator, and by line ends otherwise. Takes memory for such a piece and a name.
// Thread-compatible.
class FileList {
 public:
  // Opens `path`, which may be a pipe; "-" is standard input. Waits for the writer of a named pipe,
  // and fails, as OpenInput of base/input.h does.
  static absl::StatusOr<FileList> Open(const std::string& path);
  FileList(FileList&& other) noexcept;
  FileList& operator=(FileList&&) = delete;
  ~FileList();

  // Returns true if Next would not block. Waits for that, at most for `patience`.
  bool Ready(absl::Duration patience);

  // Returns the next name, or nullopt at the end. Skips empty names. Blocks until a name has come
  // as a whole. INVALID_ARGUMENT: this is no list: a name has more than 4,096 bytes, there are as
  // many empty names one after another, or a zero byte is within a line. Otherwise the code and the
  // text that belong to errno. Nothing more can be read after an error.
  absl::StatusOr<std::optional<std::string>> Next();

 private:
  FileList(std::string path, int file) : path_(std::move(path)), file_(file) {}

  // Returns true if bytes_ has what Next needs.
  bool HasName() const;
  // Appends to bytes_ what is there. Blocks until there is something.
  absl::Status ReadMore();
  absl::Status NoList(const std::string& why) const;

  std::string path_;
  int file_;                       // -1 once it has moved away
  std::optional<char> separator_;  // unset until the first has been read
  std::string bytes_;              // read; those before at_ are used
  std::size_t at_ = 0;
  std::size_t empty_ = 0;  // empty names since the last one
  bool ended_ = false;     // all has been read
  absl::Status status_;    // of reading
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_FILE_LIST_H_
