#include "server/rpc/errors/error_trailers.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/rpc/errors/error_details.pb.h"
#include "server/scheduling/retry_after.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kUsualRetry = absl::Milliseconds(100);

// Returns the bytes of a google.rpc.Status with one detail, which is a message of google.rpc.
template <typename Detail>
std::string Details(const absl::Status& status, const Detail& detail) {
  StatusDetails details;
  details.set_code(status.raw_code());
  details.set_message(std::string(status.message()));
  google::protobuf::Any& any = *details.add_details();
  any.set_type_url(absl::StrCat("type.googleapis.com/google.rpc.", Detail::descriptor()->name()));
  any.set_value(detail.SerializeAsString());
  return details.SerializeAsString();
}

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return std::nullopt;
  return absl::Ceil(RetryAfter(status).value_or(kUsualRetry), absl::Milliseconds(1));
}

ErrorTrailers::ErrorTrailers(const absl::Status& status) {
  if (const std::optional<absl::Duration> delay = RetryDelay(status); delay.has_value()) {
    const std::int64_t milliseconds = absl::ToInt64Milliseconds(*delay);
    pushback_ = absl::StrCat(milliseconds);
    Add("grpc-retry-pushback-ms", pushback_);
    RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(milliseconds % 1000 * 1'000'000));
    details_ = Details(status, retry);
  } else if (const std::optional<std::string> model = MissingModel(status); model.has_value()) {
    ResourceInfo resource;
    resource.set_resource_type("hellocnn.v1.Model");
    resource.set_resource_name(*model);
    resource.set_description(std::string(status.message()));
    details_ = Details(status, resource);
  }
  if (!details_.empty()) Add("grpc-status-details-bin", details_);
}

}  // namespace hellocnn::server
