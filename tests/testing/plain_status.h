// Statuses in comparisons.
#ifndef HELLOCNN_TESTS_TESTING_PLAIN_STATUS_H_
#define HELLOCNN_TESTS_TESTING_PLAIN_STATUS_H_

#include <optional>

#include "absl/status/status.h"

namespace hellocnn::testing {

// Returns the status without its details (base/error_details.h).
inline absl::Status Plain(const absl::Status& status) { return {status.code(), status.message()}; }
inline std::optional<absl::Status> Plain(const std::optional<absl::Status>& status) {
  if (!status.has_value()) return std::nullopt;
  return Plain(*status);
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_PLAIN_STATUS_H_
