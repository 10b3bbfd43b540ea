#include "base/new_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sync_folder.h"

namespace hellocnn {
namespace {

std::string WithoutSlashAtEnd(const std::string& path) {
  const std::size_t last = path.find_last_not_of('/');
  return last == std::string::npos ? path : path.substr(0, last + 1);
}

absl::Status AlreadyThere(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat(path, ": is there already"));
}

}  // namespace

absl::StatusOr<NewFolder> NewFolder::Make(const std::string& path) {
  const std::filesystem::path wanted(
      WithoutSlashAtEnd(std::filesystem::path(path).lexically_normal().string()));
  struct stat status;
  if (lstat(wanted.c_str(), &status) == 0) return AlreadyThere(path);
  const std::filesystem::path above = wanted.parent_path();
  if (!above.empty()) {
    if (absl::Status made = MakeFolders(above.string()); !made.ok()) return made;
  }
  // Processes in other containers may have the same number, so the name is made up.
  std::string partial =
      (above / absl::StrCat(".", wanted.filename().string(), ".partial.XXXXXX")).string();
  if (mkdtemp(partial.data()) == nullptr) return FileError(errno, partial, "cannot be made");
  const mode_t mask = umask(0);
  umask(mask);
  constexpr mode_t kMode = 0777;
  if (chmod(partial.c_str(), kMode & ~mask) != 0) {
    const int error = errno;
    rmdir(partial.c_str());
    return FileError(error, partial, "cannot be made");
  }
  return NewFolder(wanted.string(), partial);
}

NewFolder::NewFolder(NewFolder&& other) noexcept
    : path_(std::move(other.path_)), partial_(std::exchange(other.partial_, {})) {}

NewFolder::~NewFolder() {
  if (partial_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(partial_, ignored);
}

absl::Status NewFolder::Publish() {
  int error = SyncFolder(partial_);
  if (error != 0) return FileError(error, partial_, "cannot be written");
  // Of what may be there, only an empty folder is replaced, and nothing is lost with that.
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) error = errno;
  if (error == EEXIST || error == ENOTEMPTY || error == ENOTDIR) return AlreadyThere(path_);
  if (error != 0) return FileError(error, path_, "cannot be made");
  partial_.clear();
  error = SyncFolder(std::filesystem::path(path_).parent_path().string());
  return error == 0 ? absl::OkStatus() : FileError(error, path_, "its folder cannot be written");
}

}  // namespace hellocnn
