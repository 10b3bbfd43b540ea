#include "server/http/http_tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

// What is read and thrown away at the end.
constexpr int kMostDrained = 64;

gnutls_datum_t DatumOf(const std::string& text) {
  // The library does not write to it.
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
          static_cast<unsigned>(text.size())};
}

}  // namespace

// A certificate in GnuTLS's form, and the context that it comes from. GnuTLS does not take over
// what a session refers to, so each connection shares it.
struct HttpTls::Certificate {
  explicit Certificate(std::shared_ptr<const TlsContext> from) : context(std::move(from)) {}
  ~Certificate() {
    if (credentials != nullptr) gnutls_certificate_free_credentials(credentials);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  const std::shared_ptr<const TlsContext> context;
  gnutls_certificate_credentials_t credentials = nullptr;
};

// The library is written in C: an exception must not pass through it.
struct HttpTls::Connection::Callbacks {
  static Connection* Of(gnutls_session_t session) {
    return static_cast<Connection*>(gnutls_session_get_ptr(session));
  }

  // The client has sent its certificate, or has none.
  static int OnCertificate(gnutls_session_t session) noexcept {
    try {
      return Of(session)->Admit(session) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
    } catch (...) {
      return GNUTLS_E_MEMORY_ERROR;
    }
  }

  static int OnMessage(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t* /*message*/) noexcept {
    Connection* const self = Of(session);
    const bool is_handled = when == GNUTLS_HOOK_POST;
    if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && self->stage_ == Stage::kSilent) {
      self->stage_ = Stage::kGreeted;
    } else if (type == GNUTLS_HANDSHAKE_SERVER_HELLO && self->stage_ == Stage::kGreeted) {
      self->stage_ = Stage::kAnswered;
    } else if (type == GNUTLS_HANDSHAKE_FINISHED && is_handled) {
      // Whether or not the client was asked for a certificate, none gets past this.
      if (incoming != 0 && OnCertificate(session) != 0) return GNUTLS_E_CERTIFICATE_ERROR;
      (incoming != 0 ? self->finished_received_ : self->finished_sent_) = true;
      if (self->finished_received_ && self->finished_sent_) self->stage_ = Stage::kSecured;
    }
    return 0;
  }
};

// For TLS 1.2 the same as on the port for gRPC: no key exchange without forward secrecy, and no
// cipher without authentication.
const char* HttpTls::Priorities() {
  return "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
         "-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD";
}

void* HttpTls::CertificateCallback() {
  gnutls_certificate_retrieve_function2* const none =
      [](gnutls_session_t, const gnutls_datum_t*, int, const gnutls_pk_algorithm_t*, int,
         gnutls_pcert_st**, unsigned*, gnutls_privkey_t*) { return -1; };
  return reinterpret_cast<void*>(none);
}

absl::StatusOr<std::unique_ptr<HttpTls>> HttpTls::Make(const TlsCredentials* credentials) {
  std::unique_ptr<HttpTls> made(new HttpTls(credentials));
  MutexLock lock(&made->mutex_);
  if (absl::Status status = made->Refresh(); !status.ok()) return status;
  return made;
}

absl::Status HttpTls::Refresh() {
  std::shared_ptr<const TlsContext> context = credentials_->context();
  if (context == seen_) return absl::OkStatus();
  seen_ = context;
  auto made = std::make_shared<Certificate>(std::move(context));
  const gnutls_datum_t certificate = DatumOf(made->context->certificate());
  const gnutls_datum_t key = DatumOf(made->context->key());
  const gnutls_datum_t client_ca = DatumOf(made->context->client_ca());
  int error = gnutls_certificate_allocate_credentials(&made->credentials);
  if (error >= 0) {
    error = gnutls_certificate_set_x509_key_mem(made->credentials, &certificate, &key,
                                                GNUTLS_X509_FMT_PEM);
  }
  // Only to tell clients which certificates they may choose from.
  if (error >= 0 && made->context->needs_client_certificate()) {
    error =
        gnutls_certificate_set_x509_trust_mem(made->credentials, &client_ca, GNUTLS_X509_FMT_PEM);
  }
  if (error < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the certificate cannot be used for HTTP: GnuTLS says: ", gnutls_strerror(error)));
  }
  certificate_ = std::move(made);
  return absl::OkStatus();
}

std::unique_ptr<HttpTls::Connection> HttpTls::Begin(gnutls_session_int* session) {
  std::shared_ptr<const Certificate> certificate;
  {
    MutexLock lock(&mutex_);
    if (const absl::Status status = Refresh(); !status.ok()) {
      spdlog::error("the HTTP ports go on with the old certificate: {}",
                    std::string(status.message()));
    }
    certificate = certificate_;
  }
  auto connection = std::make_unique<Connection>(std::move(certificate));
  gnutls_session_set_ptr(session, connection.get());
  gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH,
                                     &Connection::Callbacks::OnMessage);
  if (connection->certificate_->context->needs_client_certificate()) {
    // Asked for, and not required: GnuTLS would end the handshake without an alert that says why.
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    gnutls_session_set_verify_function(session, &Connection::Callbacks::OnCertificate);
  }
  if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                             connection->certificate_->credentials) < 0) {
    return nullptr;
  }
  return connection;
}

HttpTls::Connection::Connection(std::shared_ptr<const Certificate> certificate)
    : certificate_(std::move(certificate)) {}

HttpTls::Connection::~Connection() = default;

bool HttpTls::Connection::Admit(gnutls_session_int* session) {
  if (!certificate_->context->needs_client_certificate()) return true;
  if (is_decided_) return verdict_.rejection.empty();
  is_decided_ = true;
  unsigned count = 0;
  const gnutls_datum_t* const peers = gnutls_certificate_get_peers(session, &count);
  std::vector<std::string_view> chain;
  for (unsigned i = 0; peers != nullptr && i < count; ++i) {
    chain.emplace_back(reinterpret_cast<const char*>(peers[i].data), peers[i].size);
  }
  verdict_ = certificate_->context->Verify(chain);
  if (verdict_.rejection.empty()) return true;
  // TLS 1.2 has no alert of its own for a certificate that is missing.
  const bool is_missing = chain.empty() && gnutls_protocol_get_version(session) == GNUTLS_TLS1_2;
  gnutls_alert_send(session, GNUTLS_AL_FATAL,
                    is_missing ? GNUTLS_A_HANDSHAKE_FAILURE
                               : static_cast<gnutls_alert_description_t>(verdict_.alert));
  // If the library closed the connection while there is something unread, the system would throw
  // the alert away.
  std::array<char, 4096> ignored;
  for (int i = 0; i < kMostDrained; ++i) {
    if (recv(gnutls_transport_get_int(session), ignored.data(), ignored.size(), MSG_DONTWAIT) <=
        0) {
      break;
    }
  }
  return false;
}

std::string HttpTls::Connection::WhyNot() const {
  if (!verdict_.rejection.empty()) return verdict_.rejection;
  switch (stage_) {
    case Stage::kSilent:
      return "the client has not begun with TLS";
    case Stage::kGreeted:
      return "the client offers no version or cipher that the server takes";
    default:
      return "the client has not finished the handshake";
  }
}

}  // namespace hellocnn::server
