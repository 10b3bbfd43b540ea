#include "server/rpc/transport/http2/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

constexpr int kMostPerRun = 64;
// More than the system keeps.
constexpr int kMostWaiting = 8192;
// How long to wait for descriptors or memory.
constexpr absl::Duration kAgain = absl::Milliseconds(100);

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

std::string AddressOf(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address.ss_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
  } else if (address.ss_family == AF_INET6) {
    bytes = &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  } else {
    return "local";
  }
  inet_ntop(address.ss_family, bytes, text.data(), text.size());
  return text.data();
}

}  // namespace

Listener::Listener(Http2Core* core, int descriptor, OnConnection on_connection)
    : Task(core->events()),
      core_(core),
      on_connection_(std::move(on_connection)),
      descriptor_(descriptor),
      spare_(OpenSpare()) {}

Listener::~Listener() {
  if (descriptor_ >= 0) close(descriptor_);
  if (spare_ >= 0) close(spare_);
}

absl::Status Listener::Begin() {
  core_->AddSource();
  return events()->Add(descriptor_, shared_from_this());
}

void Listener::Stop() {
  stopped_ = true;
  Schedule();
}

void Listener::Run(std::uint32_t /*io*/) {
  if (descriptor_ < 0) return;
  if (stopped_) return Close();
  if (spare_ < 0) spare_ = OpenSpare();  // there was none when it was needed
  for (int i = 0; i < kMostPerRun; ++i) {
    if (!AcceptOne()) return;
  }
  Schedule();
}

// Whoever is connected already, though not accepted, may have sent a call.
void Listener::Close() {
  for (int i = 0; i < kMostWaiting && AcceptOne(); ++i) {
  }
  events()->Remove(descriptor_, this);
  events()->SetTimer(this, Instant::InfiniteFuture());
  close(std::exchange(descriptor_, -1));
  core_->RemoveSource();
}

bool Listener::AcceptOne() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int connection = accept4(descriptor_, reinterpret_cast<sockaddr*>(&address), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection >= 0) {
    const int one = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    on_connection_(connection, AddressOf(address));
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
      core_->OnLimit(Limit::kDescriptors);
      RefuseOne();
      events()->SetTimer(this, Clock::Monotonic()->Now() + kAgain);
      return false;
    case ENOBUFS:
    case ENOMEM:
      events()->SetTimer(this, Clock::Monotonic()->Now() + kAgain);
      return false;
    default:  // that connection is gone already
      return true;
  }
}

void Listener::RefuseOne() {
  if (spare_ < 0) return;
  close(spare_);
  const int refused = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  if (refused >= 0) close(refused);
  spare_ = OpenSpare();
}

}  // namespace hellocnn::server
