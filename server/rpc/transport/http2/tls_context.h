// The settings of TLS, made from files.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CONTEXT_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CONTEXT_H_

#include <openssl/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::server {

// Paths of files in PEM.
struct TlsFiles {
  std::string certificate;  // of the server, and those that lead from it to the authority
  std::string key;          // that belongs to it, without a passphrase
  std::string client_ca;    // authorities of client certificates; "": clients need none
};

// Reads and checks the files. Connections may be made from the result on any threads. They speak
// TLS 1.2 or 1.3 and HTTP/2; a client that does not ask for HTTP/2 by ALPN is rejected.
// INVALID_ARGUMENT: a file cannot be read or does not hold what it should, the key belongs to
// another certificate, or the certificate is not valid at present. The message names the file.
absl::StatusOr<std::shared_ptr<SSL_CTX>> MakeTlsContext(const TlsFiles& files);

// Returns what OpenSSL says of the last error on this thread, and forgets it.
std::string TakeTlsError();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_CONTEXT_H_
