// A folder that appears at once, with everything in it.
#ifndef HELLOCNN_BASE_NEW_FOLDER_H_
#define HELLOCNN_BASE_NEW_FOLDER_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// Owns a folder that is being filled. It has a name that begins with a dot until it is published.
// Movable; not thread-safe. All functions block on the disk, and their errors name the path, with
// the code that belongs to errno.
class NewFolder {
 public:
  // Makes the folder beside `path`, which it is to become, and the folders above it, as far as they
  // are missing. ALREADY_EXISTS: there is something at `path`. Also returns the errors of
  // MakeFolders.
  static absl::StatusOr<NewFolder> Make(const std::string& path);
  NewFolder(NewFolder&& other) noexcept;
  NewFolder& operator=(NewFolder&&) = delete;
  // Removes the folder with everything in it, unless it was published.
  ~NewFolder();

  // Returns where the folder is until it is published. Write its files there with ReplaceFile,
  // which waits until they are on the disk.
  const std::string& path() const { return partial_; }

  // Gives the folder its name. Whoever looks there finds nothing or all of it, even if this process
  // or the machine stops meanwhile. When it returns OK, the name is on the disk. To be called once.
  // ALREADY_EXISTS: meanwhile, something else has appeared there; it stays as it is.
  absl::Status Publish();

 private:
  NewFolder(std::string path, std::string partial)
      : path_(std::move(path)), partial_(std::move(partial)) {}

  std::string path_;
  std::string partial_;  // empty once it is published
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_NEW_FOLDER_H_
