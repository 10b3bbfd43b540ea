// The certificate that is in use, which follows its files.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CREDENTIALS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CREDENTIALS_H_

#include <openssl/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/tls_context.h"

namespace hellocnn::server {

// A task that looks at the files every two seconds. When one has changed, and none has for two
// seconds, it reads them again. So files that are replaced one after the other are not read in
// between. If they are bad, the certificate stays that was in use. Thread-safe.
class TlsCredentials final : public Task {
 public:
  // Called with the outcome each time that the files were read again. Must not block.
  using OnReload = std::function<void(const absl::Status&)>;

  // Reads the files. Errors are those of MakeTlsContext.
  static absl::StatusOr<std::shared_ptr<TlsCredentials>> Load(Http2Events* events, TlsFiles files,
                                                              OnReload on_reload);
  // Use Load.
  TlsCredentials(Http2Events* events, TlsFiles files, OnReload on_reload)
      : Task(events), files_(std::move(files)), on_reload_(std::move(on_reload)) {}

  // Returns the context for new connections.
  std::shared_ptr<SSL_CTX> context() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Begin to look at the files, and end it, now or soon.
  void Begin() { Schedule(); }
  void Stop() {
    stopped_ = true;
    Schedule();
  }

 private:
  // What changes when a file does.
  using Stamps = std::vector<std::int64_t>;

  void Run(std::uint32_t io) override;
  Stamps Look() const;
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);

  const TlsFiles files_;
  const OnReload on_reload_;
  std::atomic<bool> stopped_{false};
  Stamps read_;  // of the files that were read last
  Stamps seen_;  // when the task has last run
  mutable Mutex mutex_;
  std::shared_ptr<SSL_CTX> context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CREDENTIALS_H_
