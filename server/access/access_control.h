// The access policy that holds now, which follows its files.
#ifndef HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_
#define HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/access/access_policy.h"
#include "server/access/principal.h"

namespace hellocnn::server {

// A thread looks at the files every two seconds, and reads them when they have changed and then
// stayed as they are. If they are bad, the policy stays that was in use. Thread-safe.
class AccessControl {
 public:
  // Called on the thread when the files were read again: with the reason if they are bad.
  using OnReload = std::function<void(const absl::Status&)>;

  // Reads the access file at `path`. Errors are those of AccessPolicy::Load.
  static absl::StatusOr<std::unique_ptr<AccessControl>> Start(std::string path, OnReload on_reload);
  // Ends the thread.
  ~AccessControl();

  // See AccessPolicy::Authenticate. Takes about a microsecond; for a signed token that was not seen
  // before, up to about 0.2 ms.
  absl::StatusOr<std::shared_ptr<const Principal>> Authenticate(
      const Credentials& credentials) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What the file system says of the files: it changes whenever they do.
  using Stamps = std::vector<std::int64_t>;

  AccessControl(std::string path, OnReload on_reload);

  void Watch();
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  Stamps Look() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<AccessPolicy> policy() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string path_;
  const OnReload on_reload_;
  const std::shared_ptr<UsedTokens> used_ = std::make_shared<UsedTokens>();
  mutable Mutex mutex_;
  std::shared_ptr<AccessPolicy> policy_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> files_ ABSL_GUARDED_BY(mutex_);  // that were read last, good or bad
  Notification stop_;
  std::thread watcher_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_ACCESS_CONTROL_H_
