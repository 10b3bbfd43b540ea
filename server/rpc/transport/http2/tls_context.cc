#include "server/rpc/transport/http2/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// More than any chain of certificates or list of authorities has.
constexpr std::size_t kMostBytes = std::size_t{4} << 20;
// Those of TLS 1.2 that HTTP/2 permits (RFC 9113, appendix A). TLS 1.3 has no others.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kHttp2[] = {2, 'h', '2'};

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

template <typename... Piece>
absl::Status Wrong(const std::string& path, const Piece&... pieces) {
  return absl::InvalidArgumentError(absl::StrCat(Printable(path), ": ", pieces...));
}

absl::StatusOr<std::string> Read(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFileStart(path, kMostBytes);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(text.status().message());
}

Bio BioOf(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

// Returns the next certificate of a file, or null.
Certificate NextCertificate(BIO* bio) {
  return {PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), &X509_free};
}

// OpenSSL would ask for the passphrase on the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writes*/, void* /*user*/) { return -1; }

std::string TextOf(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  ASN1_TIME_print(bio.get(), time);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

absl::Status UseCertificate(const std::string& path, SSL_CTX* context) {
  const absl::StatusOr<std::string> text = Read(path);
  if (!text.ok()) return text.status();
  const Bio bio = BioOf(*text);
  const Certificate own = NextCertificate(bio.get());
  if (own == nullptr) return Wrong(path, "it holds no certificate in PEM");
  const ASN1_TIME* const begin = X509_get0_notBefore(own.get());
  const ASN1_TIME* const end = X509_get0_notAfter(own.get());
  if (X509_cmp_current_time(end) < 0) {
    return Wrong(path, "the certificate has expired: it was valid until ", TextOf(end));
  }
  if (X509_cmp_current_time(begin) > 0) {
    return Wrong(path, "the certificate is not valid before ", TextOf(begin));
  }
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return Wrong(path, "the certificate cannot be used: ", TakeTlsError());
  }
  while (Certificate next = NextCertificate(bio.get())) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
      return Wrong(path, "a certificate of the chain cannot be used: ", TakeTlsError());
    }
    static_cast<void>(next.release());
  }
  ERR_clear_error();  // the end of the file
  return absl::OkStatus();
}

absl::Status UseKey(const TlsFiles& files, SSL_CTX* context) {
  const absl::StatusOr<std::string> text = Read(files.key);
  if (!text.ok()) return text.status();
  const Key key(PEM_read_bio_PrivateKey(BioOf(*text).get(), nullptr, NoPassphrase, nullptr),
                &EVP_PKEY_free);
  if (key == nullptr) {
    ERR_clear_error();
    return Wrong(files.key, text->find("ENCRYPTED") == std::string::npos
                                ? "it holds no private key in PEM"
                                : "the key has a passphrase; wanted a key without one");
  }
  const X509* const certificate = SSL_CTX_get0_certificate(context);
  if (X509_check_private_key(certificate, key.get()) != 1) {
    ERR_clear_error();
    return Wrong(files.key, "the key does not belong to the certificate in ",
                 Printable(files.certificate));
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return Wrong(files.key, "the key cannot be used: ", TakeTlsError());
  }
  return absl::OkStatus();
}

// Requires certificates of clients.
absl::Status UseClientCa(const std::string& path, SSL_CTX* context) {
  const absl::StatusOr<std::string> text = Read(path);
  if (!text.ok()) return text.status();
  const Bio bio = BioOf(*text);
  int authorities = 0;
  for (; const Certificate next = NextCertificate(bio.get()); ++authorities) {
    // It is trusted, and its name is told to clients, which may have to choose a certificate.
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1 ||
        SSL_CTX_add_client_CA(context, next.get()) != 1) {
      return Wrong(path, "a certificate cannot be used: ", TakeTlsError());
    }
  }
  ERR_clear_error();  // the end of the file
  if (authorities == 0) return Wrong(path, "it holds no certificate in PEM");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

// Takes HTTP/2 if the client offers it, and otherwise ends the handshake.
int SelectProtocol(SSL* /*tls*/, const unsigned char** selected, unsigned char* size,
                   const unsigned char* offered, unsigned int offered_size, void* /*user*/) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kHttp2, sizeof kHttp2, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *selected = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> MakeTlsContext(const TlsFiles& files) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(absl::StrCat("no TLS: ", TakeTlsError()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), kCiphers);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Buffers are freed while a connection is idle. A write that was cut off goes on with the same
  // bytes at another place.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  // Sessions are resumed by tickets, which clients keep.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context.get(), kHttp2, sizeof kHttp2);
  SSL_CTX_set_alpn_select_cb(context.get(), SelectProtocol, nullptr);
  if (absl::Status status = UseCertificate(files.certificate, context.get()); !status.ok()) {
    return status;
  }
  if (absl::Status status = UseKey(files, context.get()); !status.ok()) return status;
  if (!files.client_ca.empty()) {
    if (absl::Status status = UseClientCa(files.client_ca, context.get()); !status.ok()) {
      return status;
    }
  }
  return context;
}

}  // namespace hellocnn::server
