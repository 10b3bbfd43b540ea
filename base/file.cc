#include "base/file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

// Writes a file that is not there yet, and waits until it is on the disk. 0, or errno.
int WriteNewFile(const std::string& path, std::string_view bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wbx");
  if (file == nullptr) return errno;
  int error = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fflush(file) != 0 ||
      fsync(fileno(file)) != 0) {
    error = errno;
  }
  if (std::fclose(file) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

absl::StatusOr<std::string> ReadFileStart(const std::string& path, std::size_t max_bytes) {
  namespace fs = std::filesystem;
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  if (error) return wrong(error.message());
  if (!fs::is_regular_file(status)) return wrong("is not a regular file; wanted one");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return wrong(error.message());

  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong(absl::StrCat("cannot be opened: ", std::strerror(errno)));
  std::string bytes(std::min<std::uintmax_t>(size, max_bytes), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) return wrong("cannot be read");
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

absl::Status ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string partial = absl::StrCat(path, ".", getpid(), ".partial");
  std::remove(partial.c_str());  // left by a process of the same number
  int error = WriteNewFile(partial, bytes);
  if (error == 0 && std::rename(partial.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  std::remove(partial.c_str());
  return absl::UnknownError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

}  // namespace hellocnn
