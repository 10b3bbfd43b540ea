#include "base/file_watcher.h"

#include <sys/stat.h>

#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(2);

}  // namespace

FileStamps StampsOf(const std::vector<std::string>& paths) {
  FileStamps stamps;
  for (const std::string& path : paths) {
    struct stat found {};  // zeros for a file that is not there
    if (stat(path.c_str(), &found) != 0) found = {};
    for (const std::int64_t part :
         {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
          static_cast<std::int64_t>(found.st_size), static_cast<std::int64_t>(found.st_mtim.tv_sec),
          static_cast<std::int64_t>(found.st_mtim.tv_nsec),
          static_cast<std::int64_t>(found.st_ctim.tv_sec),
          static_cast<std::int64_t>(found.st_ctim.tv_nsec)}) {
      stamps.push_back(part);
    }
  }
  return stamps;
}

FileWatcher::FileWatcher(std::function<std::vector<std::string>()> paths, FileStamps read,
                         std::function<bool()> reload)
    : paths_(std::move(paths)),
      reload_(std::move(reload)),
      thread_([this, read = std::move(read)] { Watch(read); }) {}

FileWatcher::~FileWatcher() {
  stop_.Notify();
  thread_.join();
}

// `read` is of the files that were read last, and `seen` of those at the last look.
void FileWatcher::Watch(FileStamps read) {
  FileStamps seen = read;
  bool must_reload = false;
  while (!stop_.WaitUntil(Clock::Monotonic()->Now() + kLookAgain)) {
    FileStamps now = StampsOf(paths_());
    const bool calm = now == seen;
    seen = std::move(now);
    if (!calm || (seen == read && !must_reload)) continue;
    read = seen;
    must_reload = reload_();
  }
}

}  // namespace hellocnn
