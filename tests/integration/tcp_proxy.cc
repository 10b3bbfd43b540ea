#include "tests/integration/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace hellocnn {
namespace {

constexpr int kPollMilliseconds = 20;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Whether there is something to read, or the end of it.
bool Readable(int socket) {
  pollfd wanted{.fd = socket, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, kPollMilliseconds) > 0;
}

// A delay is to come from SetDelay alone.
void DoNotCollect(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

TcpProxy::TcpProxy(const std::string& target) : target_(target) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  acceptor_ = std::thread([this] { Accept(); });
}

TcpProxy::~TcpProxy() {
  {
    const absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  acceptor_.join();
  std::vector<std::thread> pumps;
  std::vector<int> sockets;
  {
    const absl::MutexLock lock(&mutex_);
    pumps.swap(pumps_);
    sockets.swap(sockets_);
  }
  // Ends what is being sent, too.
  for (const int socket : sockets) shutdown(socket, SHUT_RDWR);
  for (std::thread& pump : pumps) pump.join();
  for (const int socket : sockets) close(socket);
  close(listener_);
}

void TcpProxy::SetCut(bool cut) {
  const absl::MutexLock lock(&mutex_);
  cut_ = cut;
}

void TcpProxy::SetDelay(absl::Duration delay) {
  const absl::MutexLock lock(&mutex_);
  delay_ = delay;
}

bool TcpProxy::WaitUntilOpen() {
  const auto open = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !cut_ || closing_; };
  const absl::MutexLock lock(&mutex_, absl::Condition(&open));
  return !closing_;
}

void TcpProxy::Accept() {
  int port = 0;
  if (!absl::SimpleAtoi(target_.substr(target_.rfind(':') + 1), &port)) std::abort();
  while (WaitUntilOpen()) {
    if (!Readable(listener_)) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(port);
    // Without a server, the client sees its connection closed.
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(client);
      close(server);
      continue;
    }
    DoNotCollect(client);
    DoNotCollect(server);
    const absl::MutexLock lock(&mutex_);
    sockets_.insert(sockets_.end(), {client, server});
    pumps_.emplace_back([this, client, server] { Pump(client, server); });
    pumps_.emplace_back([this, client, server] { Pump(server, client); });
  }
}

void TcpProxy::Pump(int from, int to) {
  std::array<char, 65536> bytes{};
  while (WaitUntilOpen()) {
    if (!Readable(from)) continue;
    const ssize_t got = recv(from, bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    absl::Duration delay;
    {
      const absl::MutexLock lock(&mutex_);
      delay = delay_;
    }
    absl::SleepFor(delay);
    if (!WaitUntilOpen()) break;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t now = send(to, bytes.data() + sent, got - sent, MSG_NOSIGNAL);
      if (now <= 0) break;
      sent += now;
    }
  }
  shutdown(to, SHUT_WR);
}

}  // namespace hellocnn
