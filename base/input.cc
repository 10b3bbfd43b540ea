#include "base/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
// A shell opens both ends of a pipe within milliseconds of each other.
constexpr absl::Duration kWriterPatience = absl::Seconds(2);
constexpr int kBetweenLooksMs = 20;

// Returns true if the pipe has bytes or a writer, or had one that is gone. Does not block.
bool HasWriter(int pipe, int scratch) {
  // Copies a byte and leaves it where it is. It returns 0 only if there is none, and no writer.
  const ssize_t copied = tee(pipe, scratch, 1, SPLICE_F_NONBLOCK);
  return copied != 0;
}

// Waits until the pipe has a writer. Returns false if there is none after kWriterPatience.
bool AwaitWriter(int pipe) {
  int scratch[2];
  if (pipe2(scratch, O_CLOEXEC) != 0) return true;  // to wait for a writer is the lesser evil
  const absl::Cleanup close_scratch = [&scratch] {
    close(scratch[0]);
    close(scratch[1]);
  };
  const Instant until = Clock::Monotonic()->Now() + kWriterPatience;
  while (!HasWriter(pipe, scratch[1])) {
    pollfd readable{pipe, POLLIN, 0};
    // It also ends when a writer has come and gone.
    if (poll(&readable, 1, kBetweenLooksMs) > 0) return true;
    if (Clock::Monotonic()->Now() >= until) return false;
  }
  return true;
}

}  // namespace

absl::Status InputError(const std::string& path, int error) {
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": there is no such file"));
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": it cannot be read"));
}

absl::StatusOr<int> OpenInput(const std::string& path) {
  const bool standard_input = path == "-";
  int file = -1;
  do {
    // Opening a pipe must not wait for a writer: there may never be one.
    file = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                          : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (file < 0 && errno == EINTR);
  if (file < 0) return InputError(path, errno);
  absl::Cleanup close_file = [file] { close(file); };
  struct stat about {};
  if (fstat(file, &about) != 0) return InputError(path, errno);
  if (S_ISDIR(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": this is a folder, not a file"));
  }
  // Standard input shares its flags with other programs, and its other end is open already.
  if (!standard_input) {
    if (S_ISFIFO(about.st_mode) && !AwaitWriter(file)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": this is a pipe that nobody writes to"));
    }
    if (fcntl(file, F_SETFL, 0) != 0) return InputError(path, errno);
  }
  std::move(close_file).Cancel();
  return file;
}

absl::StatusOr<std::string> ReadText(const std::string& path, std::size_t max_bytes) {
  const absl::StatusOr<int> file = OpenInput(path);
  if (!file.ok()) return file.status();
  const absl::Cleanup close_file = [&file] { close(*file); };
  std::string bytes;
  while (true) {
    const std::size_t before = bytes.size();
    // One byte more than allowed tells a file that is too large from one that just fits.
    bytes.resize(before + std::min(kChunkBytes, max_bytes + 1 - before));
    const ssize_t got = read(*file, bytes.data() + before, bytes.size() - before);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (got < 0 && error != EINTR) return InputError(path, error);
    if (bytes.find('\0', before) != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": this is not a text: there is a zero byte in it"));
    }
    if (bytes.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": it has more than ", max_bytes, " bytes, which is the limit"));
    }
  }
}

}  // namespace hellocnn
