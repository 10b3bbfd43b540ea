// Follows files that people replace while a program runs.
#ifndef HELLOCNN_BASE_FILE_WATCHER_H_
#define HELLOCNN_BASE_FILE_WATCHER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace hellocnn {

// What the file system says of files: it changes whenever they do. A file that is not there has
// stamps, too.
using FileStamps = std::vector<std::int64_t>;

// Returns the stamps of the files. Blocks on the file system. Thread-safe.
FileStamps StampsOf(const std::vector<std::string>& paths);

// A thread that looks at files every two seconds, and has them read again when they have changed
// and then stayed as they are for a look: files that belong together are replaced one by one.
class FileWatcher {
 public:
  // Both functions are called on the thread. `paths` returns the files to follow, which may change.
  // `reload` returns true if it is to be called again after the next look, because of an error that
  // may pass. `read` are the stamps of the files from before they were read first, so that no
  // change is missed.
  FileWatcher(std::function<std::vector<std::string>()> paths, FileStamps read,
              std::function<bool()> reload);
  // Ends the thread.
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  void Watch(FileStamps read);

  const std::function<std::vector<std::string>()> paths_;
  const std::function<bool()> reload_;
  Notification stop_;
  std::thread thread_;  // the last: it uses all of the above
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_FILE_WATCHER_H_
