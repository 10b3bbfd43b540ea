#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sync_folder.h"

namespace hellocnn {
namespace {

// An open file, closed by the destructor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  // `mode` is that of a new file, less what the umask takes away.
  File(const std::string& path, int flags, mode_t mode = 0666)
      : descriptor_(Retry([&] { return open(path.c_str(), flags | O_CLOEXEC, mode); })) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (is_open()) close(descriptor_);
  }

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  // These return 0, or errno.
  int Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = Retry([&] { return write(descriptor_, bytes.data(), bytes.size()); });
      if (written < 0) return errno;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
  }
  int Sync() {
    return Retry([&] { return fsync(descriptor_); }) == 0 ? 0 : errno;
  }
  int Close() { return close(Release()) == 0 ? 0 : errno; }

  // Returns the descriptor, which the caller closes.
  int Release() { return std::exchange(descriptor_, -1); }

  // Calls a function of the system again for as long as signals interrupt it.
  template <typename Call>
  static auto Retry(const Call& call) -> decltype(call()) {
    while (true) {
      const auto result = call();
      if (result >= 0 || errno != EINTR) return result;
    }
  }

 private:
  int descriptor_;
};

// Writes a file that is not there yet, and waits until its content is on the disk. Returns 0, or
// errno.
int WriteNewFile(const std::string& path, std::string_view bytes, mode_t mode = 0666) {
  File file(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  if (!file.is_open()) return errno;
  int error = file.Write(bytes);
  if (error == 0) error = file.Sync();
  const int close_error = file.Close();
  return error != 0 ? error : close_error;
}

// Waits until the names in the folder of `path` are on the disk. Returns 0, or errno.
int SyncFolderOf(const std::string& path) {
  return SyncFolder(std::filesystem::path(path).parent_path().string());
}

}  // namespace

absl::Status FileError(int error, const std::string& path, const std::string& what) {
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": ", what));
}

absl::StatusOr<int> OpenRegularFile(const std::string& path) {
  // Opening a pipe must not wait for a writer.
  File file(path, O_RDONLY | O_NONBLOCK);
  if (!file.is_open()) return FileError(errno, path, "cannot be opened");
  struct stat status;
  if (fstat(file.descriptor(), &status) != 0) return FileError(errno, path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file; wanted one"));
  }
  return file.Release();
}

absl::StatusOr<std::string> ReadFileStart(const std::string& path, std::size_t max_bytes) {
  const absl::StatusOr<int> descriptor = OpenRegularFile(path);
  if (!descriptor.ok()) return descriptor.status();
  const File file(*descriptor);
  struct stat status;
  if (fstat(file.descriptor(), &status) != 0) return FileError(errno, path, "cannot be examined");
  std::string bytes(
      std::min<std::uintmax_t>(static_cast<std::uintmax_t>(status.st_size), max_bytes), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t count = File::Retry(
        [&] { return read(file.descriptor(), bytes.data() + got, bytes.size() - got); });
    if (count < 0) return FileError(errno, path, "cannot be read");
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  bytes.resize(got);
  return bytes;
}

absl::Status ReplaceFile(const std::string& path, std::string_view bytes) {
  // A rename would put a file in the place of a device or a pipe.
  struct stat status;
  if (lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": cannot be written: is not a regular file"));
  }
  const std::string partial = absl::StrCat(path, ".", getpid(), ".partial");
  std::remove(partial.c_str());  // left by a process of the same number
  int error = WriteNewFile(partial, bytes);
  if (error == 0 && std::rename(partial.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    std::remove(partial.c_str());
    return FileError(error, path, "cannot be written");
  }
  error = SyncFolderOf(path);
  return error == 0 ? absl::OkStatus() : FileError(error, path, "its folder cannot be written");
}

absl::Status WriteNewPrivateFile(const std::string& path, std::string_view bytes) {
  constexpr mode_t kOwnerOnly = 0600;
  struct stat there;
  if (lstat(path.c_str(), &there) == 0) return FileError(EEXIST, path, "cannot be written");
  int error = WriteNewFile(path, bytes, kOwnerOnly);
  if (error == EEXIST) return FileError(error, path, "cannot be written");
  if (error == 0) error = SyncFolderOf(path);
  if (error == 0) return absl::OkStatus();
  std::remove(path.c_str());
  return FileError(error, path, "cannot be written");
}

absl::Status MakeFolders(const std::string& path) {
  std::filesystem::path made;
  for (const std::filesystem::path& part : std::filesystem::path(path)) {
    made /= part;
    struct stat status;
    if (stat(made.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
    constexpr mode_t kMode = 0777;  // less what the umask takes away
    int error = mkdir(made.c_str(), kMode) == 0 ? 0 : errno;
    // Another process may have been faster.
    if (error == EEXIST && stat(made.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) error = 0;
    if (error == 0) error = SyncFolderOf(made.string());
    if (error != 0) return FileError(error, made.string(), "cannot be made a folder");
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
