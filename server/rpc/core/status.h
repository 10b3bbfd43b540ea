// Converts the errors of the server to statuses of the protocol. No other code does so.
#ifndef HELLOCNN_SERVER_RPC_CORE_STATUS_H_
#define HELLOCNN_SERVER_RPC_CORE_STATUS_H_

#include "absl/status/status.h"
#include "base/clock.h"

namespace hellocnn::server {

// Returns the status as the protocol allows it. A code that classifier_service.proto does not list
// becomes INTERNAL, and the message then starts with the name of that code. OK stays OK. A message
// of more than 1,024 bytes is cut.
absl::Status ToProtocol(const absl::Status& status);

// Returns the code that the caller of an ended call has seen: DEADLINE_EXCEEDED or CANCELLED. The
// call started at `start`, and the server noticed its end at `gone`.
//
// A client whose deadline passes ends the call in the same way as a client that cancels it. It does
// so a little before `deadline`: the client sends its remaining time, rounded up, and the server
// counts that time from the arrival of the request.
//
// So an end that is at most 50 ms before the deadline counts as DEADLINE_EXCEEDED. This is more
// than rounding and transmission take. For a call of less than 490 ms, the margin is a tenth of its
// time plus 1 ms.
absl::StatusCode CodeOfGoneCaller(Instant start, Instant deadline, Instant gone);

// Returns the status of an ended job for its caller. gRPC cancels a call whose deadline has passed,
// so a job may end with CANCELLED where the caller must get DEADLINE_EXCEEDED.
absl::Status JobOutcome(const absl::Status& status, Instant deadline, Instant now);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_STATUS_H_
