// What a peer may take of the server. Each limit holds from the first byte of a connection on.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LIMITS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LIMITS_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "absl/time/time.h"

namespace hellocnn::server {

// "Refused" means that one call gets a status, and "closed" that a connection gets a GOAWAY with
// the reason, and then ends. docs/reference/limits.md explains the choice of each number.
struct Http2Limits {
  // Connections. Those beyond the limit are closed at once.
  int connections = 4096;
  int connections_per_address = 1024;

  // Calls. A connection may always have `guaranteed_streams`, and beyond that as many as are still
  // left for all others together. So a few greedy peers leave room for a polite one. Calls beyond
  // that are refused with REFUSED_STREAM, which clients retry by themselves.
  int streams = 16384;
  int streams_per_connection = 4096;
  int guaranteed_streams = 16;

  // Names and values of the headers of a call, as RFC 9113 counts them: 32 bytes more for each.
  // Refused with RESOURCE_EXHAUSTED, and beyond the double reset.
  std::size_t header_bytes = 16384;
  // Of one header block, after HEADERS. Closed.
  std::size_t continuation_frames = 8;

  // Memory for headers, requests that are received or wait, and responses that wait to be sent.
  // Like calls, a connection may take as much as is left for all others together. Calls beyond
  // that are refused with RESOURCE_EXHAUSTED.
  std::size_t memory_bytes = std::size_t{64} << 20;
  std::size_t message_bytes = 0;  // the largest request. Refused with RESOURCE_EXHAUSTED
  // How much of a stream may arrive before the server reads it.
  int stream_window_bytes = 1 << 20;
  int connection_window_bytes = 16 << 20;

  // Frames that cost work without being one: PING, SETTINGS, PRIORITY, RST_STREAM, empty DATA, and
  // so on. Each takes a token, and each response earns some. Closed when there are none.
  double flood_burst = 10000;
  double flood_per_second = 2000;

  absl::Duration handshake_timeout = absl::Seconds(10);  // until SETTINGS is acknowledged. Closed
  absl::Duration message_timeout = absl::Seconds(60);  // from the first byte of a request. Refused
  absl::Duration send_timeout = absl::Seconds(60);     // while a peer reads nothing. Closed
  absl::Duration idle_timeout = absl::Minutes(30);     // without a call. Closed
  // A connection that has been silent for so long is asked for a sign of life. Closed if there is
  // none in time.
  absl::Duration keepalive_interval = absl::Minutes(1);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

// Why a call was refused or a connection closed: one for each limit, in the order of kLimitLabels.
enum class Limit {
  kConnections,
  kConnectionsPerAddress,
  kDescriptors,
  kStreams,
  kHeaderBytes,
  kMemory,
  kMessageBytes,
  kFlood,
  kProtocol,
  kTlsHandshake,
  kHandshakeTimeout,
  kMessageTimeout,
  kSendTimeout,
  kIdleTimeout,
  kKeepaliveTimeout,
};
inline constexpr std::array<std::string_view, 15> kLimitLabels = {
    "connections",       "connections_per_address",
    "descriptors",       "streams",
    "header_bytes",      "memory",
    "message_bytes",     "flood",
    "protocol",          "tls_handshake",
    "handshake_timeout", "message_timeout",
    "send_timeout",      "idle_timeout",
    "keepalive_timeout"};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_LIMITS_H_
