#include "server/access/access_control.h"

#include <sys/stat.h>

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::Start(std::string path,
                                                                    OnReload on_reload) {
  std::unique_ptr<AccessControl> control(new AccessControl(std::move(path), std::move(on_reload)));
  if (absl::Status status = control->Reload(); !status.ok()) return status;
  control->watcher_ = std::thread([watched = control.get()] { watched->Watch(); });
  return control;
}

AccessControl::AccessControl(std::string path, OnReload on_reload)
    : path_(std::move(path)), on_reload_(std::move(on_reload)) {}

AccessControl::~AccessControl() {
  stop_.Notify();
  if (watcher_.joinable()) watcher_.join();
}

absl::StatusOr<std::shared_ptr<const Principal>> AccessControl::Authenticate(
    const Credentials& credentials) const {
  return policy()->Authenticate(credentials, absl::Now());
}

std::shared_ptr<AccessPolicy> AccessControl::policy() const {
  MutexLock lock(&mutex_);
  return policy_;
}

void AccessControl::Watch() {
  const Clock* const clock = Clock::Monotonic();
  Stamps read = Look();
  Stamps seen = read;
  while (!stop_.WaitUntil(clock->Now() + kLookAgain)) {
    Stamps now = Look();
    const bool calm = now == seen;
    seen = std::move(now);
    if (!calm || seen == read) continue;
    read = seen;
    on_reload_(Reload());
  }
}

absl::Status AccessControl::Reload() {
  const std::shared_ptr<AccessPolicy> previous = policy();
  std::vector<std::string> files;
  absl::StatusOr<std::shared_ptr<AccessPolicy>> loaded =
      AccessPolicy::Load(path_, previous.get(), used_, Clock::Monotonic()->Now(), &files);
  MutexLock lock(&mutex_);
  files_ = std::move(files);
  if (!loaded.ok()) return loaded.status();
  policy_ = *std::move(loaded);
  return absl::OkStatus();
}

AccessControl::Stamps AccessControl::Look() const {
  std::vector<std::string> files;
  {
    MutexLock lock(&mutex_);
    files = files_;
  }
  Stamps stamps;
  for (const std::string& path : files) {
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

}  // namespace hellocnn::server
