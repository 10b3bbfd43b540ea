#include "server/rpc/transport/http2/http2_transport.h"

#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/address.h"
#include "base/clock.h"
#include "base/listen.h"
#include "base/unix_socket.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/listener.h"
#include "server/rpc/transport/http2/session.h"
#include "server/rpc/transport/http2/socket.h"
#include "server/rpc/transport/http2/tls_socket.h"

namespace hellocnn::server {
namespace {

// How long StopAccepting waits for clients to understand. Sessions themselves have more patience.
constexpr absl::Duration kGoodbye = absl::Seconds(2);
// How often connections that do not end are told again to end.
constexpr absl::Duration kAbortAgain = absl::Milliseconds(50);

class Http2Transport final : public Transport {
 public:
  Http2Transport(const Http2Options& options, std::vector<Service> services,
                 std::unique_ptr<Http2Events> events)
      : max_age_(options.max_connection_age),
        tls_(options.tls),
        on_tls_failure_(options.on_tls_failure),
        events_(std::move(events)),
        core_(options.limits, std::move(services), events_.get(), options.on_limit) {}
  // The tasks that are left run now, because no worker will run them.
  ~Http2Transport() override {
    RemoveSocketFile();
    events_->RunRest();
  }

  absl::Status Start(const std::string& listen) {
    const absl::StatusOr<int> socket = IsUnixAddress(listen) ? BindPath(listen) : BindPort(listen);
    if (!socket.ok()) return socket.status();
    listener_ = std::make_shared<Listener>(
        &core_, *socket,
        [this](int descriptor, std::string peer) { Accept(descriptor, std::move(peer)); });
    return listener_->Begin();
  }

  const std::string& address() const override { return address_; }
  EventQueue* events() override { return events_.get(); }
  int connections() const override { return core_.connections(); }
  void GoAway() override {
    for (const auto& session : core_.sessions()) session->GoAway();
  }
  void StopAccepting() override {
    if (listener_ == nullptr) return;
    Close();
    core_.WaitUntilNoSources(Clock::Monotonic()->Now() + kGoodbye);
  }
  void Stop(absl::Duration grace) override {
    if (listener_ == nullptr) return;
    Close();
    Instant until = Clock::Monotonic()->Now() + grace;
    while (!core_.WaitUntilEmpty(until)) {
      for (const auto& session : core_.sessions()) session->Abort();
      until = Clock::Monotonic()->Now() + kAbortAgain;
    }
  }

 private:
  void Close() {
    core_.SetGoingAway();  // before the listener accepts its last connections
    RemoveSocketFile();
    listener_->Stop();
    GoAway();
  }

  // Set address_, and return a socket that listens.
  absl::StatusOr<int> BindPort(const std::string& listen) {
    const absl::StatusOr<ListeningSocket> socket = Listen(listen);
    if (!socket.ok()) return socket.status();
    address_ = listen.substr(0, listen.rfind(':') + 1) + std::to_string(socket->port);
    return socket->descriptor;
  }
  absl::StatusOr<int> BindPath(const std::string& listen) {
    absl::StatusOr<int> socket = ListenOnUnixSocket(listen);
    if (!socket.ok()) return socket.status();
    address_ = listen;
    socket_file_ = *ParseUnixAddress(listen);
    return socket;
  }
  // While the socket still listens, so that the file cannot be that of the next server yet.
  void RemoveSocketFile() {
    if (!socket_file_.empty()) unlink(std::exchange(socket_file_, "").c_str());
  }

  void Accept(int descriptor, std::string peer) {
    Limit limit;
    if (!core_.AddConnection(peer, &limit)) {
      core_.OnLimit(limit);
      close(descriptor);
      return;
    }
    std::unique_ptr<Socket> socket = MakeSocket(descriptor, peer);
    if (!core_.memory()->HasRoom(socket->memory())) {
      core_.OnLimit(Limit::kMemory);
      core_.RemoveConnection(peer);
      return;
    }
    Session::Start(&core_, std::move(socket), std::move(peer), max_age_);
  }
  std::unique_ptr<Socket> MakeSocket(int descriptor, const std::string& peer) {
    if (tls_ == nullptr) return MakePlainSocket(descriptor);
    return MakeTlsSocket(descriptor, tls_->context(), [this, peer](const std::string& reason) {
      core_.OnLimit(Limit::kTlsHandshake);
      on_tls_failure_(peer, reason);
    });
  }

  const absl::Duration max_age_;
  const TlsCredentials* const tls_;  // null without TLS
  const std::function<void(const std::string& peer, const std::string& reason)> on_tls_failure_;
  // In the order of construction.
  const std::unique_ptr<Http2Events> events_;
  Http2Core core_;
  std::shared_ptr<Listener> listener_;
  std::string address_;
  std::string socket_file_;  // "" if there is none
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> StartHttp2Transport(const Http2Options& options,
                                                               std::vector<Service> services) {
  absl::StatusOr<std::unique_ptr<Http2Events>> events = Http2Events::Create();
  if (!events.ok()) return events.status();
  auto transport =
      std::make_unique<Http2Transport>(options, std::move(services), *std::move(events));
  if (absl::Status status = transport->Start(options.listen); !status.ok()) return status;
  return transport;
}

}  // namespace hellocnn::server
