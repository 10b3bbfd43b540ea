// What tells the caller of a failed call more than the status does.
#ifndef HELLOCNN_SERVER_RPC_ERRORS_ERROR_TRAILERS_H_
#define HELLOCNN_SERVER_RPC_ERRORS_ERROR_TRAILERS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// Metadata that follows the status of a call. The key is in lower case. If it ends with "-bin", the
// value may have any bytes, and else it has printable ASCII.
struct Trailer {
  std::string_view key;
  std::string_view value;
};

// The metadata by which a caller says what its request is called, in its own logs and in ours.
inline constexpr std::string_view kRequestIdKey = "x-request-id";

// Returns when a caller who is told `status` may call again, in whole milliseconds, rounded up:
// RetryAfter(status), or 100 ms if there is none. Nothing if the code is not RESOURCE_EXHAUSTED.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The trailing metadata of a call that ends with `status`. Nothing if that is OK. Otherwise
// `grpc-status-details-bin`, a google.rpc.Status with these details of google.rpc:
// - ErrorInfo: ErrorReason(status) in upper case, or else the name of the code;
// - RequestInfo: `request_id`, if it is printable ASCII of at most 128 bytes;
// - RetryInfo, for RESOURCE_EXHAUSTED: the RetryDelay;
// - BadRequest, for INVALID_ARGUMENT: FieldOf(status);
// - ResourceInfo: MissingModel(status).
// For RESOURCE_EXHAUSTED, the RetryDelay is also `grpc-retry-pushback-ms`, which gRPC's retry
// policy obeys (gRFC A6).
class ErrorTrailers {
 public:
  ErrorTrailers(const absl::Status& status, std::string_view request_id);
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
