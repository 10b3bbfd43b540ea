// TLS of an HTTP server's connections, by GnuTLS, which libmicrohttpd uses.
#ifndef HELLOCNN_SERVER_HTTP_HTTP_TLS_H_
#define HELLOCNN_SERVER_HTTP_HTTP_TLS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/tls/tls_credentials.h"

struct gnutls_session_int;

namespace hellocnn::server {

// Makes the TLS of each connection from the certificates that are in use when it begins. The
// versions are TLS 1.2 and 1.3. Which client gets in is decided by TlsContext::Verify. Thread-safe.
class HttpTls {
 public:
  // The TLS of one connection. The library's callbacks for it come one at a time.
  class Connection;

  // What the library must be given to start with TLS: what GnuTLS may use, and a function that
  // would choose a certificate if Begin did not.
  static const char* Priorities();
  static void* CertificateCallback();

  // `credentials` outlives the object. INVALID_ARGUMENT: GnuTLS cannot use the certificate.
  static absl::StatusOr<std::unique_ptr<HttpTls>> Make(const TlsCredentials* credentials);

  // Prepares the handshake of `session`, which the library has just made. The result must outlive
  // the session. Null: there is no memory, and the handshake will fail.
  std::unique_ptr<Connection> Begin(gnutls_session_int* session) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Certificate;

  explicit HttpTls(const TlsCredentials* credentials) : credentials_(credentials) {}
  // Takes over what the files say now, if that has changed.
  absl::Status Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TlsCredentials* const credentials_;
  Mutex mutex_;
  std::shared_ptr<const TlsContext> seen_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Certificate> certificate_ ABSL_GUARDED_BY(mutex_);
};

class HttpTls::Connection {
 public:
  explicit Connection(std::shared_ptr<const Certificate> certificate);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Returns true if the handshake is complete, and the client may be served.
  bool is_secured() const { return stage_ == Stage::kSecured; }
  // Returns why it is not.
  std::string WhyNot() const;
  // The names in the client's certificate, and who it is; see TlsContext::Verdict.
  const std::vector<std::string>& names() const { return verdict_.names; }
  const std::string& principal() const { return verdict_.principal; }

 private:
  friend class HttpTls;
  enum class Stage { kSilent, kGreeted, kAnswered, kSecured };
  struct Callbacks;  // what GnuTLS calls

  // Decides about the client, once. Returns false if the handshake must end.
  bool Admit(gnutls_session_int* session);

  const std::shared_ptr<const Certificate> certificate_;
  Stage stage_ = Stage::kSilent;
  bool is_decided_ = false;
  bool finished_sent_ = false;
  bool finished_received_ = false;
  TlsContext::Verdict verdict_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_HTTP_HTTP_TLS_H_
