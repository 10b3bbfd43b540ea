// Accepts connections.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LISTENER_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LISTENER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/http2_events.h"

namespace hellocnn::server {

// A listening socket. If descriptors or memory run out, it refuses or waits, and goes on when there
// are some again.
class Listener final : public Task {
 public:
  // Takes over a new connection from `peer`, which is an address without a port. Called by one
  // thread at a time.
  using OnConnection = std::function<void(int descriptor, std::string peer)>;

  // Takes over `descriptor`, which listens and does not block.
  Listener(Http2Core* core, int descriptor, OnConnection on_connection);
  ~Listener() override;

  // Begins to accept. Returns an error of the system.
  absl::Status Begin();
  // Accepts the connections that wait, and ends the listening, now or soon. Idempotent.
  // Thread-safe.
  void Stop();

 private:
  void Run(std::uint32_t io) override;
  void Close();
  // Accepts one connection. Returns false if there is none at present.
  bool AcceptOne();
  // There is no descriptor for a connection that waits. Refuses it.
  void RefuseOne();

  Http2Core* const core_;
  const OnConnection on_connection_;
  std::atomic<bool> stopped_{false};
  int descriptor_;
  // A descriptor that is given up to refuse a connection when there is no other; -1 if none could
  // be had yet.
  int spare_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LISTENER_H_
