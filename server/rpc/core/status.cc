#include "server/rpc/core/status.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kMaxMargin = absl::Milliseconds(50);

}  // namespace

absl::Status ToProtocol(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
      return status;
    default:
      return absl::InternalError(
          absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
  }
}

absl::StatusCode CodeOfGoneCaller(Instant start, Instant deadline, Instant gone) {
  const absl::Duration margin =
      std::min((deadline - start) / 10 + absl::Milliseconds(1), kMaxMargin);
  return gone >= deadline - margin ? absl::StatusCode::kDeadlineExceeded
                                   : absl::StatusCode::kCancelled;
}

absl::Status JobOutcome(const absl::Status& status, Instant deadline, Instant now) {
  if (absl::IsCancelled(status) && now >= deadline) {
    return absl::DeadlineExceededError("the deadline passed before the request was computed");
  }
  return status;
}

}  // namespace hellocnn::server
