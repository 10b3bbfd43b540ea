#include "server/rpc/status.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

absl::Status ToProtocol(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
      return status;
    default:
      return absl::InternalError(
          absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
  }
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status protocol = ToProtocol(status);
  // Both enumerations have the numbers of google.rpc.Code.
  return grpc::Status(static_cast<grpc::StatusCode>(protocol.raw_code()),
                      std::string(protocol.message()));
}

absl::Status JobOutcome(const absl::Status& status, absl::Time deadline, absl::Time now) {
  if (absl::IsCancelled(status) && now >= deadline) {
    return absl::DeadlineExceededError("the deadline passed before the request was computed");
  }
  return status;
}

}  // namespace hellocnn::server
