// The transport of the server's own, on libnghttp2.
//
// How it hangs together:
//   - Http2Events says which task is next. Workers run tasks, each on one worker at a time.
//   - A Listener is a task that accepts connections, and a Session is the task of one connection.
//   - A Stream is one call on the wire; it belongs to its session.
//   - A Socket carries the bytes of a session, as they are or through TLS.
//   - An Http2Call is the call for its handler, which any thread may run. It talks to its session
//     by notes.
//   - Http2Core holds what all of them share: limits, memory, methods, counts.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_TRANSPORT_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/transport/http2/limits.h"
#include "server/rpc/transport/transport.h"
#include "server/tls/tls_credentials.h"

namespace hellocnn::server {

struct Http2Options {
  std::string listen;  // host:port, where port 0 picks a free port, or unix:/path
  Http2Limits limits;
  absl::Duration max_connection_age;  // 0: connections last forever
  // If it is null, nothing is encrypted. Otherwise it outlives the transport, and the process must
  // ignore SIGPIPE, which OpenSSL causes when it writes to a peer that is gone.
  const TlsCredentials* tls = nullptr;
  // Called when a connection from `peer` has ended before it was encrypted. Thread-safe, and does
  // not block.
  std::function<void(const std::string& peer, const std::string& reason)> on_tls_failure =
      [](const std::string&, const std::string&) {};
  // Called when a limit has refused a call or closed a connection. Thread-safe, and does not block.
  std::function<void(Limit)> on_limit = [](Limit) {};
};

// Starts a server of `services`. What their handlers use must outlive it. UNAVAILABLE: the server
// cannot listen on the address. RESOURCE_EXHAUSTED: no descriptor is left.
absl::StatusOr<std::unique_ptr<Transport>> StartHttp2Transport(const Http2Options& options,
                                                               std::vector<Service> services);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_TRANSPORT_H_
