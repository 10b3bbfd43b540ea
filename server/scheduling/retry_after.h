// When a rejected request may be sent again, as a part of its status.
#ifndef HELLOCNN_SERVER_SCHEDULING_RETRY_AFTER_H_
#define HELLOCNN_SERVER_SCHEDULING_RETRY_AFTER_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// Returns the status, which must not be OK, with the delay, which must be finite.
absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);

// Returns the delay of a status from WithRetryAfter, and nothing for any other status.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_RETRY_AFTER_H_
