#include "client/server_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::client {
namespace {

// A ClientHello of TLS 1.2 without extensions. Every TLS server responds to it, with its own hello
// or with an alert.
std::string ClientHello() {
  using namespace std::string_literals;  // for the bytes that are 0
  const std::string version = "\x03\x03"s;
  // AES with and without forward secrecy, as every server may want it.
  const std::string ciphers = "\xc0\x2f\xc0\x2b\xc0\x30\xc0\x2c\x00\x9c\x00\x2f"s;
  const auto sized = [](std::size_t bytes, const std::string& text) {
    std::string size;
    while (bytes-- > 0) size += static_cast<char>(text.size() >> (8 * bytes) & 0xff);
    return size + text;
  };
  const std::string random(32, '\x2a');
  const std::string hello = version + random + sized(1, "") + sized(2, ciphers) + sized(1, "\0"s);
  const std::string handshake = absl::StrCat("\x01", sized(3, hello));
  return absl::StrCat("\x16\x03\x01", sized(2, handshake));
}

bool WaitFor(int descriptor, short events, Instant deadline) {
  pollfd polled{descriptor, events, 0};
  while (true) {
    const absl::Duration left =
        std::max(deadline - Clock::Monotonic()->Now(), absl::ZeroDuration());
    const int ready =
        poll(&polled, 1,
             static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)))));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// Returns the first bytes that an address responds with, or "".
std::string Exchange(const addrinfo& to, const std::string& bytes, Instant deadline) {
  const int connection =
      socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol);
  if (connection < 0) return "";
  const absl::Cleanup close_connection = [connection] { close(connection); };
  if (connect(connection, to.ai_addr, to.ai_addrlen) != 0 && errno != EINPROGRESS) return "";
  if (!WaitFor(connection, POLLOUT, deadline)) return "";
  if (send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return "";
  std::string response(16, '\0');
  std::size_t got = 0;
  while (got < response.size() && WaitFor(connection, POLLIN, deadline)) {
    const ssize_t count = recv(connection, response.data() + got, response.size() - got, 0);
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  response.resize(got);
  return response;
}

}  // namespace

Protocol ProbeServer(const HostPort& address, Instant deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found) != 0) {
    return Protocol::kUnknown;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  // A server of HTTP/1 may wait for the end of a request that never comes.
  const Instant now = Clock::Monotonic()->Now();
  const std::string hello = Exchange(*found, ClientHello(), now + (deadline - now) / 2);
  // A record of type alert or handshake, in any version from SSL 3.0 on.
  if (absl::StartsWith(hello, "\x15\x03") || absl::StartsWith(hello, "\x16\x03")) {
    return Protocol::kTls;
  }
  const std::string page = Exchange(
      *found, absl::StrCat("GET / HTTP/1.1\r\nHost: ", address.host, "\r\n\r\n"), deadline);
  return absl::StartsWith(page, "HTTP/1.") ? Protocol::kHttp1 : Protocol::kUnknown;
}

}  // namespace hellocnn::client
