#include "base/error_details.h"

#include <cstdint>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace hellocnn {
namespace {

constexpr char kReason[] = "hellocnn/reason";
constexpr char kRetryAfter[] = "hellocnn/retry-after-nanoseconds";
constexpr char kMissingModel[] = "hellocnn/missing-model";
constexpr char kField[] = "hellocnn/field";

absl::Status With(const char* kind, std::string_view detail, absl::Status status) {
  status.SetPayload(kind, absl::Cord(absl::string_view(detail.data(), detail.size())));
  return status;
}

std::optional<std::string> DetailOf(const char* kind, const absl::Status& status) {
  const absl::optional<absl::Cord> detail = status.GetPayload(kind);
  if (!detail.has_value()) return std::nullopt;
  return std::string(*detail);
}

}  // namespace

absl::Status WithReason(absl::Status status, std::string_view reason) {
  return With(kReason, reason, std::move(status));
}
std::optional<std::string> ErrorReason(const absl::Status& status) {
  return DetailOf(kReason, status);
}

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  return With(kRetryAfter, absl::StrCat(absl::ToInt64Nanoseconds(delay)), std::move(status));
}
std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const std::optional<std::string> detail = DetailOf(kRetryAfter, status);
  std::int64_t nanoseconds = 0;
  if (!detail.has_value() || !absl::SimpleAtoi(*detail, &nanoseconds)) return std::nullopt;
  return absl::Nanoseconds(nanoseconds);
}

absl::Status WithMissingModel(absl::Status status, std::string_view model) {
  return With(kMissingModel, model, std::move(status));
}
std::optional<std::string> MissingModel(const absl::Status& status) {
  return DetailOf(kMissingModel, status);
}

absl::Status WithField(absl::Status status, std::string_view field) {
  return With(kField, field, std::move(status));
}
std::optional<std::string> FieldOf(const absl::Status& status) { return DetailOf(kField, status); }
absl::Status InvalidField(std::string_view field, std::string_view what) {
  std::string message(field);
  message.append(what);
  return WithField(absl::InvalidArgumentError(message), field);
}

}  // namespace hellocnn
