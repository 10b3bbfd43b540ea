// The settings of TLS, made from files.
#ifndef HELLOCNN_SERVER_TLS_TLS_CONTEXT_H_
#define HELLOCNN_SERVER_TLS_TLS_CONTEXT_H_

#include <openssl/types.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/tls/client_names.h"

namespace hellocnn::server {

// Paths of files in PEM, and who may connect.
struct TlsFiles {
  std::string certificate;   // of the server, and those that lead from it to the authority
  std::string key;           // that belongs to it, without a passphrase
  std::string client_ca;     // authorities of client certificates; "": clients need none
  ClientNames client_names;  // of which a client certificate must have one
};

// What the files have said at one moment. Immutable and thread-safe.
class TlsContext {
 public:
  // What the certificate of a client shows. The chain begins with it.
  struct Verdict {
    // "" if the client may connect. Otherwise it says why not, and `alert` is what TLS calls it.
    std::string rejection = {};
    int alert = 0;
    std::vector<std::string> names = {};  // see CertificateNames
    std::string principal = {};           // see PrincipalOf
  };

  // Reads and checks the files. INVALID_ARGUMENT: a file cannot be read or does not hold what it
  // should, the key belongs to another certificate, or the certificate is not valid at present. The
  // message names the file.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Make(const TlsFiles& files);
  // Use Make.
  explicit TlsContext(const TlsFiles& files);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Connections may be made from it on any threads, while this object lives. They speak TLS 1.2 or
  // 1.3 and HTTP/2; a client that does not ask for HTTP/2 by ALPN is rejected, and so is one whose
  // certificate Verify would reject.
  SSL_CTX* ssl() const { return ssl_.get(); }
  bool needs_client_certificate() const { return !client_ca_.empty(); }

  // The same for other libraries, in PEM: the certificate with its chain, its key, and the
  // authorities of clients, or "".
  const std::string& certificate() const { return certificate_; }
  const std::string& key() const { return key_; }
  const std::string& client_ca() const { return client_ca_; }
  // Decides about a client that has proved to have the key of the first certificate of `chain`,
  // which is in DER. An empty chain is a client without a certificate.
  Verdict Verify(std::span<const std::string_view> chain) const;

  // Returns why a handshake with a context has failed, if that was because of the certificate of
  // the client, or "".
  static std::string RejectionOf(const SSL* tls);

 private:
  absl::Status UseCertificate(const std::string& path);
  absl::Status UseKey(const TlsFiles& files);
  absl::Status UseClientCa(const std::string& path);
  // Called by OpenSSL with its own verdict on each certificate of a chain.
  static int OnVerified(int is_ok, X509_STORE_CTX* chain);

  const ClientNames client_names_;
  std::shared_ptr<SSL_CTX> ssl_;
  std::string certificate_;
  std::string key_;
  std::string client_ca_;
};

// Returns what OpenSSL says of the last error on this thread, and forgets it.
std::string TakeTlsError();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TLS_TLS_CONTEXT_H_
