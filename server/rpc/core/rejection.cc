#include "server/rpc/core/rejection.h"

#include <cstddef>
#include <utility>

#include "base/error_details.h"

namespace hellocnn::server {
namespace {

RejectionReason ReasonOfSubmit(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return RejectionReason::kQueueFull;
    case absl::StatusCode::kUnavailable:
      return RejectionReason::kDraining;
    case absl::StatusCode::kInvalidArgument:
      return RejectionReason::kInvalid;
    case absl::StatusCode::kDeadlineExceeded:
      return RejectionReason::kDeadline;
    default:
      return RejectionReason::kInternal;
  }
}

Rejection Make(absl::Status status, RejectionReason reason) {
  return {WithReason(std::move(status), kRejectionLabels[static_cast<std::size_t>(reason)]),
          reason};
}

}  // namespace

Rejection Rejection::Loading() {
  return Make(absl::UnavailableError("the model is loading"), RejectionReason::kLoading);
}

Rejection Rejection::Draining() {
  return Make(absl::UnavailableError("server is draining"), RejectionReason::kDraining);
}

Rejection Rejection::Invalid(absl::Status status) {
  return Make(std::move(status), RejectionReason::kInvalid);
}

Rejection Rejection::Unauthenticated(absl::Status status) {
  return Make(std::move(status), RejectionReason::kUnauthenticated);
}

Rejection Rejection::Denied(absl::Status status) {
  return Make(std::move(status), RejectionReason::kDenied);
}

Rejection Rejection::OverBudget(absl::Status status) {
  return Make(std::move(status), RejectionReason::kBudget);
}

Rejection Rejection::OfFind(absl::Status status) {
  const bool is_missing = absl::IsNotFound(status);
  return Make(std::move(status),
              is_missing ? RejectionReason::kMissingModel : RejectionReason::kLoading);
}

Rejection Rejection::OfDirect(absl::Status status) {
  const bool is_of_find = absl::IsNotFound(status) || absl::IsUnavailable(status);
  return is_of_find ? OfFind(std::move(status)) : Invalid(std::move(status));
}

Rejection Rejection::OfSubmit(absl::Status status) {
  const RejectionReason reason = ReasonOfSubmit(status.code());
  return Make(std::move(status), reason);
}

}  // namespace hellocnn::server
