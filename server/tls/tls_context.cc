#include "server/tls/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "server/tls/certificate_names.h"

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

std::string TextIn(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string TextOf(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  ASN1_TIME_print(bio.get(), time);
  return TextIn(bio.get());
}

std::string PemOf(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(bio.get(), certificate);
  return TextIn(bio.get());
}

// Where a store has its TlsContext.
int StoreIndex() {
  static const int index = X509_STORE_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// What OpenSSL's verdict is when a certificate is good, but its names are not on the list.
constexpr int kNotOnTheList = X509_V_ERR_CERT_REJECTED;
// The alert for a client without a certificate, which it is in TLS 1.3.
constexpr int kCertificateRequired = 116;

std::string RejectionFor(long error) {
  return error == kNotOnTheList
             ? "the certificate has none of the names that may connect"
             : absl::StrCat("certificate verify failed: ", X509_verify_cert_error_string(error));
}

// Returns the alert for which OpenSSL's connections would choose.
int AlertFor(long error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return SSL_AD_CERTIFICATE_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return SSL_AD_UNKNOWN_CA;
    case X509_V_ERR_INVALID_PURPOSE:
      return SSL_AD_UNSUPPORTED_CERTIFICATE;
    default:
      return SSL_AD_BAD_CERTIFICATE;
  }
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

absl::Status TlsContext::UseCertificate(const std::string& path) {
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
  if (SSL_CTX_use_certificate(ssl(), own.get()) != 1) {
    return Wrong(path, "the certificate cannot be used: ", TakeTlsError());
  }
  certificate_ = PemOf(own.get());
  while (Certificate next = NextCertificate(bio.get())) {
    if (SSL_CTX_add0_chain_cert(ssl(), next.get()) != 1) {
      return Wrong(path, "a certificate of the chain cannot be used: ", TakeTlsError());
    }
    certificate_ += PemOf(next.get());
    static_cast<void>(next.release());  // the chain has it
  }
  ERR_clear_error();  // the end of the file
  return absl::OkStatus();
}

absl::Status TlsContext::UseKey(const TlsFiles& files) {
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
  const X509* const certificate = SSL_CTX_get0_certificate(ssl());
  if (X509_check_private_key(certificate, key.get()) != 1) {
    ERR_clear_error();
    return Wrong(files.key, "the key does not belong to the certificate in ",
                 Printable(files.certificate));
  }
  if (SSL_CTX_use_PrivateKey(ssl(), key.get()) != 1) {
    return Wrong(files.key, "the key cannot be used: ", TakeTlsError());
  }
  const Bio pem(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PKCS8PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  key_ = TextIn(pem.get());
  return absl::OkStatus();
}

absl::Status TlsContext::UseClientCa(const std::string& path) {
  const absl::StatusOr<std::string> text = Read(path);
  if (!text.ok()) return text.status();
  const Bio bio = BioOf(*text);
  int authorities = 0;
  for (; const Certificate next = NextCertificate(bio.get()); ++authorities) {
    // It is trusted, and its name is told to clients, which may have to choose a certificate.
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl()), next.get()) != 1 ||
        SSL_CTX_add_client_CA(ssl(), next.get()) != 1) {
      return Wrong(path, "a certificate cannot be used: ", TakeTlsError());
    }
    client_ca_ += PemOf(next.get());
  }
  ERR_clear_error();  // the end of the file
  if (authorities == 0) return Wrong(path, "it holds no certificate in PEM");
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl());
  X509_STORE_set_ex_data(store, StoreIndex(), this);
  X509_STORE_set_verify_cb(store, OnVerified);
  SSL_CTX_set_verify(ssl(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

TlsContext::TlsContext(const TlsFiles& files)
    : client_names_(files.client_names), ssl_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {}

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsFiles& files) {
  ERR_clear_error();
  auto made = std::make_shared<TlsContext>(files);
  SSL_CTX* const context = made->ssl();
  if (context == nullptr) return absl::InternalError(absl::StrCat("no TLS: ", TakeTlsError()));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers);
  SSL_CTX_set_options(
      context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Buffers are freed while a connection is idle. A write that was cut off goes on with the same
  // bytes at another place.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  // Sessions are resumed by tickets, which clients keep.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, kHttp2, sizeof kHttp2);
  SSL_CTX_set_alpn_select_cb(context, SelectProtocol, nullptr);
  if (absl::Status status = made->UseCertificate(files.certificate); !status.ok()) {
    return status;
  }
  if (absl::Status status = made->UseKey(files); !status.ok()) return status;
  if (!files.client_ca.empty()) {
    if (absl::Status status = made->UseClientCa(files.client_ca); !status.ok()) {
      return status;
    }
  }
  return made;
}

// The one place where it is decided whose certificate is good, for all libraries.
int TlsContext::OnVerified(int is_ok, X509_STORE_CTX* chain) {
  if (is_ok != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) return is_ok;
  const auto* const context = static_cast<const TlsContext*>(
      X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(chain), StoreIndex()));
  try {
    if (context->client_names_.Allow(CertificateNames(X509_STORE_CTX_get_current_cert(chain)))) {
      return 1;
    }
  } catch (...) {  // there is no memory; the library is written in C
  }
  X509_STORE_CTX_set_error(chain, kNotOnTheList);
  return 0;
}

TlsContext::Verdict TlsContext::Verify(std::span<const std::string_view> chain) const {
  if (chain.empty()) {
    return {.rejection = "peer did not return a certificate", .alert = kCertificateRequired};
  }
  using Chain = std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)>;
  const Chain others(sk_X509_new_null(),
                     [](STACK_OF(X509) * all) { sk_X509_pop_free(all, &X509_free); });
  Certificate own(nullptr, &X509_free);
  for (const std::string_view der : chain) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    Certificate next(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), &X509_free);
    if (next == nullptr) {
      return {.rejection = absl::StrCat("a certificate cannot be read: ", TakeTlsError()),
              .alert = SSL_AD_BAD_CERTIFICATE};
    }
    if (own == nullptr) {
      own = std::move(next);
    } else if (sk_X509_push(others.get(), next.get()) > 0) {
      static_cast<void>(next.release());
    }
  }
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> verification(
      X509_STORE_CTX_new(), &X509_STORE_CTX_free);
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl());
  if (X509_STORE_CTX_init(verification.get(), store, own.get(), others.get()) != 1 ||
      X509_STORE_CTX_set_default(verification.get(), "ssl_client") != 1) {
    return {.rejection = TakeTlsError(), .alert = SSL_AD_INTERNAL_ERROR};
  }
  // As OpenSSL's own connections do it.
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(verification.get()),
                                   SSL_CTX_get_security_level(ssl()));
  if (X509_verify_cert(verification.get()) != 1) {
    const int error = X509_STORE_CTX_get_error(verification.get());
    ERR_clear_error();
    return {.rejection = RejectionFor(error), .alert = AlertFor(error)};
  }
  return {.names = CertificateNames(own.get()), .principal = PrincipalOf(own.get())};
}

std::string TlsContext::RejectionOf(const SSL* tls) {
  const long error = SSL_get_verify_result(tls);
  return error == X509_V_OK ? "" : RejectionFor(error);
}

}  // namespace hellocnn::server
