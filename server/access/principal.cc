#include "server/access/principal.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/error_details.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

constexpr double kSecondsPerDay = 86400;

absl::Status TooMuch(double limit, const char* what, absl::Duration wait) {
  return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                            "the caller may send ", absl::StrFormat("%.12g", limit), " images a ",
                            what, ", which are used up; retry in ",
                            absl::FormatDuration(absl::Ceil(wait, absl::Milliseconds(1))))),
                        wait);
}

bool Fits(std::string_view model, std::string_view pattern) {
  if (!pattern.ends_with('*')) return model == pattern;
  pattern.remove_suffix(1);
  return model.starts_with(pattern);
}

}  // namespace

Budget::Budget(const Allowance& allowance, Instant now) : allowance_(allowance) {
  if (const auto& rate = allowance.images_per_second; rate.has_value()) {
    second_.emplace(allowance.burst_images.value_or(*rate), *rate, now);
  }
  if (const auto& quota = allowance.images_per_day; quota.has_value()) {
    day_.emplace(*quota, *quota / kSecondsPerDay, now);
  }
}

absl::Status Budget::Take(int images, Instant now) {
  MutexLock lock(&mutex_);
  if (day_.has_value()) {
    const absl::Duration wait = day_->TakeOrWait(images, now);
    if (wait > absl::ZeroDuration()) return TooMuch(*allowance_.images_per_day, "day", wait);
  }
  if (second_.has_value()) {
    const absl::Duration wait = second_->TakeOrWait(images, now);
    if (wait > absl::ZeroDuration()) {
      if (day_.has_value()) day_->Earn(images);
      return TooMuch(*allowance_.images_per_second, "second", wait);
    }
  }
  return absl::OkStatus();
}

void Budget::GiveBack(int images) {
  MutexLock lock(&mutex_);
  if (second_.has_value()) second_->Earn(images);
  if (day_.has_value()) day_->Earn(images);
}

Principal::Principal(std::string name, std::set<Right> rights, std::vector<std::string> models,
                     std::shared_ptr<Budget> budget)
    : name_(std::move(name)),
      number_(absl::HashOf(true, std::string_view(name_))),
      rights_(std::move(rights)),
      models_(std::move(models)),
      budget_(std::move(budget)) {}

absl::Status Principal::CheckRight(Right right) const {
  if (right == Right::kNone || rights_.contains(right)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("the caller, ", Shown(name_), ", may not do this: wanted the right ",
                   kRightNames[static_cast<std::size_t>(right)], " in the server's access file"));
}

absl::Status Principal::CheckModel(std::string_view model) const {
  if (MayUse(model)) return absl::OkStatus();
  if (model.empty()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the caller, ", Shown(name_), ", may not use all models; wanted the name of one"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat("the caller, ", Shown(name_), ", may not use the model ", Shown(model)));
}

bool Principal::MayUse(std::string_view model) const {
  return models_.empty() || std::any_of(models_.begin(), models_.end(),
                                        [&](const auto& pattern) { return Fits(model, pattern); });
}

}  // namespace hellocnn::server
