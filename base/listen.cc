#include "base/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

using AddressInfo = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::Status CannotListen(const std::string& address, const std::string& reason) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", Shown(address), ": ", reason));
}

// Says what errno means for an address to listen on.
std::string Reason(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the address is in use by another socket; stop its program, or choose another port "
             "(0 picks a free one)";
    case EADDRNOTAVAIL:
      return "it is not an address of this machine; choose one that `ip address` shows, or 0.0.0.0 "
             "for all";
    case EACCES:
    case EPERM:
      return absl::StrCat("this user is not permitted to (", std::generic_category().message(error),
                          "); choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE");
    case EAFNOSUPPORT:
      return "this machine does not have that family of addresses; choose 0.0.0.0 or 127.0.0.1 for "
             "IPv4";
    default:
      return std::generic_category().message(error);
  }
}

// Returns false if the kernel was built or started without IPv6.
bool KernelHasIpv6() {
  const int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (six < 0) return errno != EAFNOSUPPORT;
  close(six);
  return true;
}

// Returns the host to look up: without IPv6, every address of the machine is an IPv4 address.
std::string HostToLookUp(const std::string& host) {
  in6_addr address{};
  const bool is_every_address =
      inet_pton(AF_INET6, host.c_str(), &address) == 1 && IN6_IS_ADDR_UNSPECIFIED(&address);
  return is_every_address && !KernelHasIpv6() ? "0.0.0.0" : host;
}

absl::StatusOr<AddressInfo> LookUp(const std::string& address) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return CannotListen(address, std::string(parsed.status().message()));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(HostToLookUp(parsed->host).c_str(),
                                absl::StrCat(parsed->port).c_str(), &hints, &found);
  if (error != 0) {
    return CannotListen(address,
                        absl::StrCat("the name ", parsed->host, " does not resolve: ",
                                     error == EAI_SYSTEM ? std::generic_category().message(errno)
                                                         : std::string(gai_strerror(error))));
  }
  return AddressInfo(found, &freeaddrinfo);
}

const addrinfo& First(const AddressInfo& found) {
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    if (one->ai_family == AF_INET) return *one;
  }
  return *found;
}

// Binds a new socket, and returns it, or -1 with errno.
int Bind(const sockaddr* address, socklen_t length, bool reuse, bool ipv6_only) {
  const int family = address->sa_family;
  const int bound = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bound < 0) return -1;
  const int reuse_address = reuse ? 1 : 0;
  setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &reuse_address, sizeof(reuse_address));
  const int only = ipv6_only ? 1 : 0;
  if (family == AF_INET6) setsockopt(bound, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  if (bind(bound, address, length) == 0) return bound;
  const int error = errno;
  close(bound);
  errno = error;
  return -1;
}

int PortOf(int bound) {
  sockaddr_storage name{};
  socklen_t length = sizeof(name);
  if (getsockname(bound, reinterpret_cast<sockaddr*>(&name), &length) != 0) return 0;
  // The port is in the same place for IPv4 and IPv6.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

}  // namespace

absl::StatusOr<HostPort> ResolveToListen(const std::string& address) {
  const absl::StatusOr<AddressInfo> found = LookUp(address);
  if (!found.ok()) return found.status();
  const addrinfo& first = First(*found);
  const int bound = Bind(first.ai_addr, first.ai_addrlen, /*reuse=*/true, /*ipv6_only=*/false);
  if (bound < 0) return CannotListen(address, Reason(errno));
  close(bound);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  const int error = getnameinfo(first.ai_addr, first.ai_addrlen, host.data(), host.size(),
                                port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
  if (error != 0) return CannotListen(address, gai_strerror(error));
  return HostPort{host.data(), std::stoi(port.data())};
}

absl::StatusOr<ListeningSocket> Listen(const std::string& address) {
  const absl::StatusOr<AddressInfo> found = LookUp(address);
  if (!found.ok()) return found.status();
  const addrinfo& first = First(*found);
  const int bound = Bind(first.ai_addr, first.ai_addrlen, /*reuse=*/true, /*ipv6_only=*/false);
  if (bound < 0) return CannotListen(address, Reason(errno));
  if (listen(bound, SOMAXCONN) != 0) {
    const int error = errno;
    close(bound);
    return CannotListen(address, Reason(error));
  }
  return ListeningSocket{bound, PortOf(bound)};
}

Ipv4Only::Ipv4Only(const HostPort& address) : address_(address) {
  if (address_.host != "0.0.0.0") return;
  if (address_.port == 0) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    ipv4_ = Bind(reinterpret_cast<const sockaddr*>(&any), sizeof(any), /*reuse=*/true,
                 /*ipv6_only=*/false);
    if (ipv4_ >= 0) address_.port = PortOf(ipv4_);
  }
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(static_cast<std::uint16_t>(address_.port));
  // If this fails, another socket has the IPv6 side of the port, or the machine has no IPv6.
  ipv6_ = Bind(reinterpret_cast<const sockaddr*>(&any), sizeof(any), /*reuse=*/false,
               /*ipv6_only=*/true);
}

Ipv4Only::~Ipv4Only() {
  if (ipv4_ >= 0) close(ipv4_);
  if (ipv6_ >= 0) close(ipv6_);
}

}  // namespace hellocnn
