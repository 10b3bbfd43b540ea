// Sockets that listen, and the reason if one cannot.
//
// What an address means is the same for every port of the server: 0.0.0.0 is every IPv4 address of
// the machine, [::] is every IPv6 and IPv4 address, and a name is its first IPv4 address or, if it
// has none, its first IPv6 address. So the meaning of "localhost" does not depend on how the
// machine looks names up. On a kernel without IPv6, [::] is every IPv4 address. Functions are
// thread-safe.
#ifndef HELLOCNN_BASE_LISTEN_H_
#define HELLOCNN_BASE_LISTEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/address.h"

namespace hellocnn {

// Looks the host of host:port up, and checks that its address can be bound at this moment. For a
// library that listens by itself. Blocks while the name is looked up. Errors are those of Listen.
absl::StatusOr<HostPort> ResolveToListen(const std::string& address);

struct ListeningSocket {
  int descriptor;  // non-blocking, closed on exec; the caller closes it
  int port;        // the port that was bound
};

// Listens on host:port; port 0 picks a free port. Blocks while the name is looked up. UNAVAILABLE:
// "cannot listen on ADDRESS: …" with the reason and what to do: the address is malformed, the name
// does not resolve, the address is in use, it is not of this machine, or it is not permitted.
absl::StatusOr<ListeningSocket> Listen(const std::string& address);

// Keeps the IPv6 side of a port taken, without listening there, while it lives. A library that
// takes 0.0.0.0 for both families is thereby left with IPv4 alone. Does nothing for any address but
// 0.0.0.0. For port 0 it also picks the port and keeps the IPv4 side for sockets with SO_REUSEADDR.
class Ipv4Only {
 public:
  explicit Ipv4Only(const HostPort& address);
  ~Ipv4Only();
  Ipv4Only(const Ipv4Only&) = delete;
  Ipv4Only& operator=(const Ipv4Only&) = delete;

  // The address to listen on. Its port is not 0 if a port was picked.
  const HostPort& address() const { return address_; }

 private:
  HostPort address_;
  int ipv4_ = -1;
  int ipv6_ = -1;
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_LISTEN_H_
