// What the tests of connections have in common: the core of the transport, run on the test's
// thread.
#ifndef HELLOCNN_TESTS_SERVER_RPC_TRANSPORT_HTTP2_SERVER_BED_H_
#define HELLOCNN_TESTS_SERVER_RPC_TRANSPORT_HTTP2_SERVER_BED_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/listen.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/limits.h"

namespace hellocnn::server {

struct ServerBed {
  explicit ServerBed(const Http2Limits& wanted = {}, std::vector<Service> services = {})
      : limits(wanted), core(limits, std::move(services), events.get(), [this](Limit limit) {
          reached.push_back(limit);
        }) {}

  // Runs what there is to run now.
  void Run() {
    EventQueue::Event event;
    for (int idle = 0; idle < 2;) {
      if (events->Wait(Instant::InfinitePast(), &event) == EventQueue::Got::kEvent) {
        events->Handle(event);
        idle = 0;
      } else {
        ++idle;
      }
    }
  }

  Http2Limits limits;
  std::vector<Limit> reached;
  std::unique_ptr<Http2Events> events = Http2Events::Create().value();
  Http2Core core;
};

// Returns a socket that is connected to `port` of this machine. What it sends arrives at once.
inline int ConnectTo(int port) {
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return client;
  close(client);
  return -1;
}

// Returns the two ends of a TCP connection: that of the server, which does not block, and that of
// the client.
inline std::pair<int, int> ConnectedPair() {
  const ListeningSocket listening = Listen("127.0.0.1:0").value();
  const int client = ConnectTo(listening.port);
  const int server = accept4(listening.descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  close(listening.descriptor);
  return {server, client};
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_RPC_TRANSPORT_HTTP2_SERVER_BED_H_
