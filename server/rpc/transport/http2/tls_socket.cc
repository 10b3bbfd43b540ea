#include "server/rpc/transport/http2/tls_socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "server/tls/certificate_names.h"

namespace hellocnn::server {
namespace {

// Messages of the handshake, and those with which a peer changes its keys later. Nobody needs so
// many, and OpenSSL would go on reading them for as long as a peer sends them.
constexpr int kMostMessages = 1000;
// What is read and thrown away at the end.
constexpr int kMostDrained = 64;

class TlsSocket final : public Socket {
 public:
  TlsSocket(int descriptor, std::shared_ptr<const TlsContext> context,
            std::function<void(const std::string& reason)> on_failure)
      : descriptor_(descriptor),
        context_(std::move(context)),
        on_failure_(std::move(on_failure)),
        tls_(SSL_new(context_->ssl())) {
    if (tls_ == nullptr || SSL_set_fd(tls_, descriptor) != 1) {
      Fail(TakeTlsError());
      return;
    }
    SSL_set_accept_state(tls_);
    SSL_set_msg_callback(tls_, OnMessage);
    SSL_set_msg_callback_arg(tls_, this);
  }
  ~TlsSocket() override {
    SSL_free(tls_);
    close(descriptor_);
  }
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  int descriptor() const override { return descriptor_; }
  std::size_t memory() const override { return kTlsConnectionBytes; }

  std::string principal() const override {
    const X509* const certificate = SSL_get0_peer_certificate(tls_);
    if (certificate == nullptr) return "";
    return PrincipalOf(certificate);
  }

  std::vector<std::string> certificate_names() const override {
    const X509* const certificate = SSL_get0_peer_certificate(tls_);
    if (certificate == nullptr) return {};
    return CertificateNames(certificate);
  }

  // Reads until the buffers are full or the system has no more, because the system tells only once
  // that it has some.
  Result Receive(std::span<std::uint8_t> first, std::span<std::uint8_t> second) override {
    Result result;
    for (std::span<std::uint8_t> to : {first, second}) {
      while (!to.empty()) {
        std::size_t count = 0;
        if (!Try([&] { return SSL_read_ex(tls_, to.data(), to.size(), &count); }, &result)) {
          return result;
        }
        result.bytes += count;
        to = to.subspan(count);
      }
    }
    return result;
  }

  Result Send(std::span<const std::uint8_t> bytes) override {
    Result result;
    while (!bytes.empty()) {
      std::size_t count = 0;
      if (!Try([&] { return SSL_write_ex(tls_, bytes.data(), bytes.size(), &count); }, &result)) {
        return result;
      }
      result.bytes += count;
      bytes = bytes.subspan(count);
    }
    return result;
  }

  void ShutDown() override {
    if (!failed_ && secured_) {
      ERR_clear_error();
      SSL_shutdown(tls_);
    }
    shutdown(descriptor_, SHUT_WR);
    // If there is something that was not read, the system throws away what the peer has not
    // received yet, such as the alert that says why the handshake failed.
    std::array<char, 4096> ignored;
    for (int i = 0; i < kMostDrained; ++i) {
      if (recv(descriptor_, ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) return;
    }
  }

 private:
  // Tries to move bytes. If it cannot, returns false, and sets the result's state if the connection
  // has ended. Bytes that were moved before count first: the end is found again.
  template <typename Move>
  bool Try(Move move, Result* result) {
    if (failed_) return End(result);
    ERR_clear_error();
    if (!secured_) {
      const int done = SSL_do_handshake(tls_);
      if (done != 1) return Failed(done, result);
      OnSecured();
      if (failed_) return End(result);
    }
    const int moved = move();
    return moved == 1 || Failed(moved, result);
  }
  // An operation returned `returned` and not 1. Returns false.
  bool Failed(int returned, Result* result) {
    if (failed_) return End(result);
    const int error = SSL_get_error(tls_, returned);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
    if (error == SSL_ERROR_ZERO_RETURN) return End(result);
    Fail(error == SSL_ERROR_SSL ? ReasonOfFailure() : "the peer has closed the connection");
    return End(result);
  }
  static bool End(Result* result) {
    if (result->bytes == 0) {
      result->state = Result::State::kEnded;
    } else {
      result->more = true;
    }
    return false;
  }
  // The handshake is complete.
  void OnSecured() {
    const unsigned char* protocol = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(tls_, &protocol, &size);
    if (size == 0) return Fail("the client does not ask for HTTP/2 (ALPN)");
    secured_ = true;
  }
  std::string ReasonOfFailure() const {
    const std::string reason = TakeTlsError();
    const std::string rejection = secured_ ? "" : TlsContext::RejectionOf(tls_);
    return rejection.empty() ? reason : rejection;
  }
  void Fail(const std::string& reason) {
    failed_ = true;
    if (!secured_) on_failure_(reason);
  }

  static void OnMessage(int sent, int /*version*/, int type, const void* /*bytes*/,
                        std::size_t /*size*/, SSL* /*tls*/, void* user) {
    auto* const self = static_cast<TlsSocket*>(user);
    if (sent != 0 || type != SSL3_RT_HANDSHAKE || ++self->messages_ <= kMostMessages) return;
    shutdown(self->descriptor_, SHUT_RDWR);  // OpenSSL finds no more to read
  }

  const int descriptor_;
  const std::shared_ptr<const TlsContext> context_;
  const std::function<void(const std::string& reason)> on_failure_;
  SSL* const tls_;
  int messages_ = 0;
  bool secured_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Socket> MakeTlsSocket(int descriptor, std::shared_ptr<const TlsContext> context,
                                      std::function<void(const std::string& reason)> on_failure) {
  return std::make_unique<TlsSocket>(descriptor, std::move(context), std::move(on_failure));
}

}  // namespace hellocnn::server
