#include "server/rpc/errors/error_trailers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error_details.h"
#include "server/rpc/errors/error_details.pb.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kUsualRetry = absl::Milliseconds(100);
constexpr std::size_t kMostRequestIdBytes = 128;
// All trailers together must stay below the 8 kB that clients take.
constexpr std::size_t kMostDescriptionBytes = 256;

// Whether an id of a request is repeated. Other bytes than ASCII need not be UTF-8, and some
// clients cannot read a message with such text.
bool IsShown(std::string_view request_id) {
  return !request_id.empty() && request_id.size() <= kMostRequestIdBytes &&
         std::all_of(request_id.begin(), request_id.end(),
                     [](char c) { return c >= ' ' && c <= '~'; });
}

template <typename Detail>
void AddDetail(const Detail& detail, StatusDetails* details) {
  google::protobuf::Any& any = *details->add_details();
  any.set_type_url(absl::StrCat("type.googleapis.com/google.rpc.", Detail::descriptor()->name()));
  any.set_value(detail.SerializeAsString());
}

ErrorInfo InfoOf(const absl::Status& status) {
  ErrorInfo info;
  info.set_reason(
      absl::AsciiStrToUpper(ErrorReason(status).value_or(absl::StatusCodeToString(status.code()))));
  info.set_domain("hellocnn");
  return info;
}

// Returns the beginning of the message, cut between two characters.
std::string DescriptionOf(const absl::Status& status) {
  const absl::string_view message = status.message();
  if (message.size() <= kMostDescriptionBytes) return std::string(message);
  std::size_t end = kMostDescriptionBytes;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
  return absl::StrCat(message.substr(0, end), "…");
}

RetryInfo RetryIn(std::int64_t milliseconds) {
  RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int>(milliseconds % 1000 * 1'000'000));
  return retry;
}

BadRequest BadRequestOf(const absl::Status& status) {
  BadRequest bad;
  BadRequest::FieldViolation& violation = *bad.add_field_violations();
  violation.set_field(FieldOf(status).value_or(""));
  violation.set_description(DescriptionOf(status));
  return bad;
}

ResourceInfo MissingResource(const std::string& model, const absl::Status& status) {
  ResourceInfo resource;
  resource.set_resource_type("hellocnn.v1.Model");
  resource.set_resource_name(model);
  resource.set_description(DescriptionOf(status));
  return resource;
}

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return std::nullopt;
  return absl::Ceil(RetryAfter(status).value_or(kUsualRetry), absl::Milliseconds(1));
}

ErrorTrailers::ErrorTrailers(const absl::Status& status, std::string_view request_id) {
  if (status.ok()) return;
  StatusDetails details;
  details.set_code(status.raw_code());
  details.set_message(std::string(status.message()));
  AddDetail(InfoOf(status), &details);
  if (IsShown(request_id)) {
    RequestInfo request;
    request.set_request_id(std::string(request_id));
    AddDetail(request, &details);
  }
  if (const std::optional<absl::Duration> delay = RetryDelay(status); delay.has_value()) {
    const std::int64_t milliseconds = absl::ToInt64Milliseconds(*delay);
    AddDetail(RetryIn(milliseconds), &details);
    pushback_ = absl::StrCat(milliseconds);
    Add("grpc-retry-pushback-ms", pushback_);
  }
  if (absl::IsInvalidArgument(status)) AddDetail(BadRequestOf(status), &details);
  if (const std::optional<std::string> model = MissingModel(status); model.has_value()) {
    AddDetail(MissingResource(*model, status), &details);
  }
  details_ = details.SerializeAsString();
  Add("grpc-status-details-bin", details_);
}

}  // namespace hellocnn::server
