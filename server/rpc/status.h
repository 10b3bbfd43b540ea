// The one place where an absl::Status becomes a gRPC status.
#ifndef HELLOCNN_SERVER_RPC_STATUS_H_
#define HELLOCNN_SERVER_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "base/clock.h"

namespace hellocnn::server {

// Trailing metadata of a call that is refused with RESOURCE_EXHAUSTED: how long a client that
// retries by gRPC's retry policy (gRFC A6) must wait. A queue of the default capacity is worked off
// in about that time.
inline constexpr char kPushbackKey[] = "grpc-retry-pushback-ms";
inline constexpr char kPushbackMilliseconds[] = "100";

// The status as the protocol allows it: a code that classifier_service.proto does not list becomes
// INTERNAL, with the code's name put before the message. OK stays OK.
absl::Status ToProtocol(const absl::Status& status);

// ToProtocol, in gRPC's type.
grpc::Status ToGrpc(const absl::Status& status);

// What a caller has seen whose call started at `start` and whose end the server noticed at `gone`:
// DEADLINE_EXCEEDED or CANCELLED. A client that runs out of time ends the call in the same way as
// one that cancels it, and a little before `deadline`: it sends the time that is left, rounded up,
// and that begins to run here when the request has arrived. So the end counts as the deadline's
// from 50 ms before it on, which is more than both take, and for a call of less than 490 ms from a
// tenth of its time and 1 ms before it on.
absl::StatusCode CodeOfGoneCaller(Instant start, Instant deadline, Instant gone);

// What a job's end means to its caller. gRPC cancels a call whose deadline has passed, so the
// batcher may report CANCELLED for what is DEADLINE_EXCEEDED.
absl::Status JobOutcome(const absl::Status& status, Instant deadline, Instant now);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_STATUS_H_
