#include "base/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;

absl::Status Failed(const std::string& path, int error) {
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": there is no such file"));
  if (error == EISDIR) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": this is a folder; name files in it"));
  }
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": it cannot be read"));
}

}  // namespace

absl::StatusOr<std::string> ReadInput(const std::string& path, std::size_t max_bytes) {
  const bool standard_input = path == "-";
  int file = STDIN_FILENO;
  if (!standard_input) {
    do {
      file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    } while (file < 0 && errno == EINTR);
    if (file < 0) return Failed(path, errno);
  }
  const absl::Cleanup close_file = [file, standard_input] {
    if (!standard_input) close(file);
  };
  std::string bytes;
  while (true) {
    const std::size_t before = bytes.size();
    // One byte more than allowed tells a file that is too large from one that just fits.
    bytes.resize(before + std::min(kChunkBytes, max_bytes + 1 - before));
    const ssize_t got = read(file, bytes.data() + before, bytes.size() - before);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (got < 0 && error != EINTR) return Failed(path, error);
    if (bytes.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": it has more than ", max_bytes, " bytes, which is the limit"));
    }
  }
}

}  // namespace hellocnn
