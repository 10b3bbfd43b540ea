// What tells a rejected caller more than the status does.
#ifndef HELLOCNN_SERVER_RPC_ERRORS_ERROR_TRAILERS_H_
#define HELLOCNN_SERVER_RPC_ERRORS_ERROR_TRAILERS_H_

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

// The trailing metadata of a unary call, if there is any. For RESOURCE_EXHAUSTED it is the
// RetryDelay, in the two forms that clients know:
// - `grpc-retry-pushback-ms` is for gRPC's retry policy (gRFC A6);
// - `grpc-status-details-bin` is for everybody else: a google.rpc.Status with a
//   google.rpc.RetryInfo.
// For NOT_FOUND it is the MissingModel, as a google.rpc.Status with a google.rpc.ResourceInfo.
class ErrorTrailers {
 public:
  explicit ErrorTrailers(const absl::Status& status);
  ErrorTrailers(const ErrorTrailers&) = delete;
  ErrorTrailers& operator=(const ErrorTrailers&) = delete;

  // The result is valid as long as this object.
  std::span<const Trailer> get() const { return {trailers_.data(), size_}; }

 private:
  void Add(const char* key, const std::string& value) { trailers_[size_++] = {key, value}; }

  std::string pushback_;
  std::string details_;
  std::array<Trailer, 2> trailers_;
  std::size_t size_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ERRORS_ERROR_TRAILERS_H_
