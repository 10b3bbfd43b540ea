#include "server/access/access_control.h"

#include <utility>

#include "absl/time/clock.h"
#include "base/clock.h"

namespace hellocnn::server {

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::Start(std::string path,
                                                                    OnReload on_reload) {
  std::unique_ptr<AccessControl> control(new AccessControl(std::move(path), std::move(on_reload)));
  if (absl::Status status = control->Reload(); !status.ok()) return status;
  // Only the file says which other file there is. It is read again, so that no change is missed.
  FileStamps read = StampsOf(control->files());
  if (absl::Status status = control->Reload(); !status.ok()) return status;
  control->watcher_.emplace([self = control.get()] { return self->files(); }, std::move(read),
                            [self = control.get()] {
                              const absl::Status status = self->Reload();
                              self->on_reload_(status);
                              // What the system says of a file may be otherwise soon.
                              return !status.ok() && !absl::IsInvalidArgument(status);
                            });
  return control;
}

AccessControl::AccessControl(std::string path, OnReload on_reload)
    : path_(std::move(path)), on_reload_(std::move(on_reload)) {}

absl::StatusOr<std::shared_ptr<const Principal>> AccessControl::Authenticate(
    const Credentials& credentials) const {
  return policy()->Authenticate(credentials, absl::Now());
}

std::shared_ptr<AccessPolicy> AccessControl::policy() const {
  MutexLock lock(&mutex_);
  return policy_;
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

std::vector<std::string> AccessControl::files() const {
  MutexLock lock(&mutex_);
  return files_;
}

}  // namespace hellocnn::server
