#include "server/serving/model_registry.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// The most names that a message lists.
constexpr std::size_t kMostListed = 8;

constexpr std::int64_t kMillion = 1'000'000;

// Lists the keys of a map for people: "mnist, letters".
template <typename Map>
std::string Keys(const Map& map) {
  std::string keys;
  std::size_t listed = 0;
  for (const auto& [key, value] : map) {
    if (listed == kMostListed) return absl::StrCat(keys, " and ", map.size() - listed, " more");
    absl::StrAppend(&keys, listed == 0 ? "" : ", ", Shown(key));
    ++listed;
  }
  return keys;
}

}  // namespace

absl::Status ModelRegistry::Publish(ServableHandle servable) {
  MutexLock lock(&mutex_);
  const std::string& name = servable->name();
  if (!models_[name].versions.try_emplace(servable->version(), servable).second) {
    return absl::AlreadyExistsError(absl::StrCat("model ", Shown(name), ", version ",
                                                 Shown(servable->version()), " is served already"));
  }
  Update(name);
  return absl::OkStatus();
}

absl::StatusOr<ServableHandle> ModelRegistry::Withdraw(const std::string& name,
                                                       const std::string& version) {
  MutexLock lock(&mutex_);
  const auto model = models_.find(name);
  if (model != models_.end()) {
    auto& versions = model->second.versions;
    const auto found = versions.find(version);
    if (found != versions.end()) {
      ServableHandle servable = std::move(found->second);
      versions.erase(found);
      Update(name);
      return servable;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("model ", Shown(name), ", version ", Shown(version), " is not served"));
}

absl::StatusOr<ServableHandle> ModelRegistry::Find(std::string_view name,
                                                   std::string_view version) const {
  MutexLock lock(&mutex_);
  return FindLocked(name, version);
}

absl::StatusOr<ServableHandle> ModelRegistry::FindLocked(std::string_view name,
                                                         std::string_view version) const {
  if (models_.empty()) return absl::UnavailableError("no model is served");
  if (name.empty()) name = default_name_;
  const Model* const model = FindModel(name);
  if (model == nullptr) {
    return WithMissingModel(absl::NotFoundError(absl::StrCat(
                                "model ", Shown(name), " is not served; wanted ", Keys(models_))),
                            Shown(name));
  }
  if (version.empty()) return model->current;
  const auto found = model->versions.find(version);
  if (found == model->versions.end()) {
    return WithMissingModel(
        absl::NotFoundError(absl::StrCat("model ", Shown(name), ", version ", Shown(version),
                                         " is not served; wanted version ", Keys(model->versions))),
        absl::StrCat(Shown(name), "/", Shown(version)));
  }
  return found->second;
}

absl::StatusOr<Route> ModelRegistry::RouteRequest(std::string_view name,
                                                  std::string_view version) const {
  MutexLock lock(&mutex_);
  const Model* const model = FindModel(name);
  if (model == nullptr || !version.empty()) {
    absl::StatusOr<ServableHandle> servable = FindLocked(name, version);
    if (!servable.ok()) return servable.status();
    return Route{.responds = *std::move(servable)};
  }
  if (!model->rollout.has_value()) return Route{.responds = model->current};
  const ActiveRollout& active = *model->rollout;
  model->owed += std::max<std::int64_t>(std::llround(active.rollout.share * kMillion), 1);
  if (model->owed <= model->owed_at_most) return Route{.responds = active.current};
  model->owed -= kMillion;
  model->owed_at_most = std::uniform_int_distribution<std::int64_t>(0, kMillion - 1)(random_);
  Route route;
  route.candidate_responds = active.rollout.mode == Rollout::Mode::kCanary;
  route.responds = route.candidate_responds ? active.candidate : active.current;
  if (active.comparable) {
    route.compared = route.candidate_responds ? active.current : active.candidate;
  }
  return route;
}

std::optional<ModelRegistry::ActiveRollout> ModelRegistry::FindRollout(
    std::string_view model) const {
  MutexLock lock(&mutex_);
  const Model* const found = FindModel(model);
  return found == nullptr ? std::nullopt : found->rollout;
}

void ModelRegistry::SetRollout(const std::string& model, const std::optional<Rollout>& rollout) {
  MutexLock lock(&mutex_);
  if (rollout.has_value()) {
    rollouts_[model] = *rollout;
  } else {
    rollouts_.erase(model);
  }
  Update(model);
}

void ModelRegistry::SetDefault(const std::string& name) {
  MutexLock lock(&mutex_);
  if (!default_is_chosen_) default_name_ = name;
  UpdateDefault();
}

const ModelRegistry::Model* ModelRegistry::FindModel(std::string_view name) const {
  if (name.empty() || name == default_name_) return default_;
  const auto model = models_.find(name);
  return model == models_.end() ? nullptr : &model->second;
}

void ModelRegistry::Update(const std::string& name) {
  const auto found = models_.find(name);
  if (found == models_.end()) return;
  Model& model = found->second;
  if (model.versions.empty()) {
    models_.erase(found);
    return UpdateDefault();
  }
  const auto highest = std::prev(model.versions.end());
  model.current = highest->second;
  model.rollout.reset();
  const auto rollout = rollouts_.find(name);
  if (rollout != rollouts_.end() && model.versions.size() > 1) {
    const auto candidate = model.versions.find(rollout->second.candidate);
    if (candidate != model.versions.end()) {
      if (candidate == highest) model.current = std::prev(highest)->second;
      model.rollout = {.current = model.current,
                       .candidate = candidate->second,
                       .rollout = rollout->second,
                       .comparable = candidate->second->card().class_labels ==
                                     model.current->card().class_labels};
    }
  }
  UpdateDefault();
}

void ModelRegistry::UpdateDefault() {
  if (default_name_.empty() && !models_.empty()) default_name_ = models_.begin()->first;
  const auto model = models_.find(default_name_);
  default_ = model == models_.end() ? nullptr : &model->second;
}

}  // namespace hellocnn::server
