#include "base/sync_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace hellocnn {

int SyncFolder(const std::string& folder) {
  const char* const path = folder.empty() ? "." : folder.c_str();
  int file = -1;
  do {
    file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (file < 0 && errno == EINTR);
  if (file < 0) return errno;
  int error = 0;
  do {
    error = fsync(file) == 0 ? 0 : errno;
  } while (error == EINTR);
  close(file);
  // Some file systems cannot do that, and have nothing to be waited for.
  return error == EINVAL ? 0 : error;
}

}  // namespace hellocnn
