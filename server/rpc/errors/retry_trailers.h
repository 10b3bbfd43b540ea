// What tells a rejected caller when to call again.
#ifndef HELLOCNN_SERVER_RPC_ERRORS_RETRY_TRAILERS_H_
#define HELLOCNN_SERVER_RPC_ERRORS_RETRY_TRAILERS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// Returns when a caller who is told `status` may call again, in whole milliseconds, rounded up:
// RetryAfter(status), or 100 ms if there is none. Nothing if the code is not RESOURCE_EXHAUSTED.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The trailing metadata of a unary call: nothing, or for RESOURCE_EXHAUSTED the RetryDelay, in the
// two forms that clients know:
// - `grpc-retry-pushback-ms` is for gRPC's retry policy (gRFC A6);
// - `grpc-status-details-bin` is for everybody else: a google.rpc.Status with a
//   google.rpc.RetryInfo.
class RetryTrailers {
 public:
  explicit RetryTrailers(const absl::Status& status);
  RetryTrailers(const RetryTrailers&) = delete;
  RetryTrailers& operator=(const RetryTrailers&) = delete;

  // The result is valid as long as this object.
  std::span<const Trailer> get() const { return {trailers_.data(), size_}; }

 private:
  std::string pushback_;
  std::string details_;
  std::array<Trailer, 2> trailers_;
  std::size_t size_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ERRORS_RETRY_TRAILERS_H_
