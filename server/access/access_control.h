// The access policy that holds now, which follows its files.
#ifndef HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_
#define HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_watcher.h"
#include "base/mutex.h"
#include "server/access/access_policy.h"
#include "server/access/principal.h"

namespace hellocnn::server {

// Follows the files (FileWatcher). If they are bad, the policy stays that was in use. Thread-safe.
class AccessControl {
 public:
  // Called on the watcher's thread when the files were read again: with the reason if they are bad.
  using OnReload = std::function<void(const absl::Status&)>;

  // Reads the access file at `path`. Errors are those of AccessPolicy::Load.
  static absl::StatusOr<std::unique_ptr<AccessControl>> Start(std::string path, OnReload on_reload);

  // See AccessPolicy::Authenticate. Takes about a microsecond; for a signed token that was not seen
  // before, up to about a millisecond.
  absl::StatusOr<std::shared_ptr<const Principal>> Authenticate(
      const Credentials& credentials) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  AccessControl(std::string path, OnReload on_reload);

  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> files() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<AccessPolicy> policy() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string path_;
  const OnReload on_reload_;
  const std::shared_ptr<UsedTokens> used_ = std::make_shared<UsedTokens>();
  mutable Mutex mutex_;
  std::shared_ptr<AccessPolicy> policy_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> files_ ABSL_GUARDED_BY(mutex_);  // that were read last, good or bad
  std::optional<FileWatcher> watcher_;                      // the last: it uses all of the above
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_
