// The certificate that is in use, which follows its files.
#ifndef HELLOCNN_SERVER_TLS_TLS_CREDENTIALS_H_
#define HELLOCNN_SERVER_TLS_TLS_CREDENTIALS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_watcher.h"
#include "base/mutex.h"
#include "server/tls/tls_context.h"

namespace hellocnn::server {

// Follows the files (FileWatcher). If they are bad, the context stays that was in use. Thread-safe.
class TlsCredentials {
 public:
  // Called by the watcher's thread with the outcome each time that the files were read again.
  using OnReload = std::function<void(const absl::Status&)>;

  // Reads the files, and begins to look at them. Errors are those of TlsContext::Make.
  static absl::StatusOr<std::unique_ptr<TlsCredentials>> Load(TlsFiles files, OnReload on_reload);
  // Use Load.
  TlsCredentials(TlsFiles files, OnReload on_reload)
      : files_(std::move(files)), on_reload_(std::move(on_reload)) {}
  // What context() has returned remains of use.
  ~TlsCredentials() = default;
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  // Returns the context for new connections.
  std::shared_ptr<const TlsContext> context() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::vector<std::string> paths() const;
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);

  const TlsFiles files_;
  const OnReload on_reload_;
  mutable Mutex mutex_;
  std::shared_ptr<const TlsContext> context_ ABSL_GUARDED_BY(mutex_);
  std::optional<FileWatcher> watcher_;  // the last: it uses all of the above; set if they are good
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TLS_TLS_CREDENTIALS_H_
