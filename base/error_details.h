// What an error says to programs, beyond its code and its message. Functions are thread-safe.
#ifndef HELLOCNN_BASE_ERROR_DETAILS_H_
#define HELLOCNN_BASE_ERROR_DETAILS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn {

// Each With… function returns the status, which must not be OK, with one more detail, in the place
// of an earlier one of the same kind. The function that follows it returns the detail, or nothing
// for a status without one. A detail stays with a status that is copied or moved.

// Why the error happened, as one word for all errors of its kind: "queue_full".
absl::Status WithReason(absl::Status status, std::string_view reason);
std::optional<std::string> ErrorReason(const absl::Status& status);

// When a rejected request may be sent again. The delay must be finite.
absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// The model that is missing, "mnist", or the version of one, "mnist/7".
absl::Status WithMissingModel(absl::Status status, std::string_view model);
std::optional<std::string> MissingModel(const absl::Status& status);

// The field of a request that is wrong, as a path: "images[3].gray8".
absl::Status WithField(absl::Status status, std::string_view field);
std::optional<std::string> FieldOf(const absl::Status& status);
// Returns INVALID_ARGUMENT for a field of a request: its path, such as "images[3].gray8", followed
// by what is wrong with it, such as " has 5 bytes; wanted 1024".
absl::Status InvalidField(std::string_view field, std::string_view what);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_ERROR_DETAILS_H_
