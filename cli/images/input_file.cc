#include "cli/images/input_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/input.h"

namespace hellocnn::cli {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 17;

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  const absl::StatusOr<int> descriptor = OpenInput(path);
  if (!descriptor.ok()) return descriptor.status();
  gzFile file = gzdopen(*descriptor, "rb");
  if (file == nullptr) {
    close(*descriptor);
    return absl::ResourceExhaustedError(absl::StrCat(path, ": there is no memory to read it"));
  }
  gzbuffer(file, kReadBytes);
  return InputFile(path, File(file));
}

absl::StatusOr<std::string> InputFile::Read(std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::size_t before = bytes.size();
    const std::size_t wanted = std::min(kReadBytes, count - before);
    bytes.resize(before + wanted);
    errno = 0;
    const int got = gzread(file_.get(), bytes.data() + before, static_cast<unsigned>(wanted));
    bytes.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    if (static_cast<std::size_t>(std::max(got, 0)) == wanted) continue;
    int code = Z_OK;
    const std::string message = gzerror(file_.get(), &code);
    if (code == Z_ERRNO) return InputError(path_, errno);
    if (code == Z_BUF_ERROR)
      return absl::InvalidArgumentError(absl::StrCat(path_, ": the gzipped file is cut off"));
    if (code != Z_OK && code != Z_STREAM_END) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": the gzipped file is damaged: ", message));
    }
    break;
  }
  return bytes;
}

}  // namespace hellocnn::cli
