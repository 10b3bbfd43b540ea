#include "server/rpc/errors/retry_trailers.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/rpc/errors/error_details.pb.h"
#include "server/scheduling/retry_after.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kUsualRetry = absl::Milliseconds(100);

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return std::nullopt;
  return absl::Ceil(RetryAfter(status).value_or(kUsualRetry), absl::Milliseconds(1));
}

RetryTrailers::RetryTrailers(const absl::Status& status) {
  const std::optional<absl::Duration> delay = RetryDelay(status);
  if (!delay.has_value()) return;
  const std::int64_t milliseconds = absl::ToInt64Milliseconds(*delay);
  pushback_ = absl::StrCat(milliseconds);

  RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int>(milliseconds % 1000 * 1'000'000));
  StatusDetails details;
  details.set_code(status.raw_code());
  details.set_message(std::string(status.message()));
  google::protobuf::Any& any = *details.add_details();
  any.set_type_url("type.googleapis.com/google.rpc.RetryInfo");
  any.set_value(retry.SerializeAsString());
  details_ = details.SerializeAsString();

  trailers_ = {Trailer{"grpc-retry-pushback-ms", pushback_},
               Trailer{"grpc-status-details-bin", details_}};
  size_ = trailers_.size();
}

}  // namespace hellocnn::server
