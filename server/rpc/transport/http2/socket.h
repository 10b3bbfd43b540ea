// A connection's bytes: as they are, or through TLS.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SOCKET_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hellocnn::server {

// A connected socket that does not block. Owns its descriptor. Thread-compatible.
class Socket {
 public:
  struct Result {
    enum class State {
      kOpen,   // `bytes` were moved; if 0, none can be moved at present
      kEnded,  // the peer has ended its side, or the connection is broken
    };
    State state = State::kOpen;
    std::size_t bytes = 0;
    // There may be more to receive although the buffers were not filled.
    bool more = false;
  };

  virtual ~Socket() = default;

  virtual int descriptor() const = 0;
  // The memory that the socket takes while it lives, in bytes, for the budget.
  virtual std::size_t memory() const { return 0; }
  // Returns who the peer has proved to be; "" if it has not. Constant from the first byte that was
  // received.
  virtual std::string principal() const { return ""; }
  // Returns the names in the certificate with which it has proved that. Constant like principal().
  virtual std::vector<std::string> certificate_names() const { return {}; }
  // Receives into `first` and, once that is full, into `second`.
  virtual Result Receive(std::span<std::uint8_t> first, std::span<std::uint8_t> second) = 0;
  virtual Result Send(std::span<const std::uint8_t> bytes) = 0;
  // Tells the peer that nothing more will be sent.
  virtual void ShutDown() = 0;
};

// Takes over `descriptor`.
std::unique_ptr<Socket> MakePlainSocket(int descriptor);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SOCKET_H_
