#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace hellocnn::cli {

absl::StatusOr<OutputFile> OutputFile::Open(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_CLOEXEC;
  constexpr mode_t kMode = 0666;  // less the umask
  int file = open(path.c_str(), kFlags | O_EXCL, kMode);
  const bool made = file >= 0;
  if (!made && errno == EEXIST) file = open(path.c_str(), kFlags, kMode);
  if (file < 0) return FileError(errno, path, "cannot be opened for writing");
  return OutputFile(path, file, made);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(other.path_), file_(std::exchange(other.file_, -1)), made_(other.made_) {}

OutputFile::~OutputFile() {
  if (file_ < 0) return;
  close(file_);
  if (made_) unlink(path_.c_str());
}

absl::Status OutputFile::Write(std::string_view text) {
  const int file = std::exchange(file_, -1);
  int error = 0;
  // A pipe or a device has no length to set.
  if (ftruncate(file, 0) != 0 && errno != EINVAL) error = errno;
  while (error == 0 && !text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (close(file) != 0 && error == 0) error = errno;
  return error == 0 ? absl::OkStatus() : FileError(error, path_, "cannot be written");
}

}  // namespace hellocnn::cli
