#include "server/serving/model_registry.h"

#include <cstddef>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// The most names that a message lists.
constexpr std::size_t kMostListed = 8;

// The payload of a status.
constexpr char kMissing[] = "hellocnn/missing-model";

absl::Status Missing(std::string missing, const std::string& message) {
  absl::Status status = absl::NotFoundError(message);
  status.SetPayload(kMissing, absl::Cord(std::move(missing)));
  return status;
}

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

std::optional<std::string> MissingModel(const absl::Status& status) {
  const absl::optional<absl::Cord> missing = status.GetPayload(kMissing);
  if (!missing.has_value()) return std::nullopt;
  return std::string(*missing);
}

absl::Status ModelRegistry::Publish(ServableHandle servable) {
  MutexLock lock(&mutex_);
  Versions& versions = models_[servable->name()];
  if (!versions.try_emplace(servable->version(), servable).second) {
    return absl::AlreadyExistsError(absl::StrCat("model ", Shown(servable->name()), ", version ",
                                                 Shown(servable->version()), " is served already"));
  }
  UpdateDefault();
  return absl::OkStatus();
}

absl::StatusOr<ServableHandle> ModelRegistry::Withdraw(const std::string& name,
                                                       const std::string& version) {
  MutexLock lock(&mutex_);
  const auto model = models_.find(name);
  if (model != models_.end()) {
    const auto found = model->second.find(version);
    if (found != model->second.end()) {
      ServableHandle servable = std::move(found->second);
      model->second.erase(found);
      if (model->second.empty()) models_.erase(model);
      UpdateDefault();
      return servable;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("model ", Shown(name), ", version ", Shown(version), " is not served"));
}

absl::StatusOr<ServableHandle> ModelRegistry::Find(std::string_view name,
                                                   std::string_view version) const {
  MutexLock lock(&mutex_);
  if (models_.empty()) return absl::UnavailableError("no model is served");
  if (name.empty()) name = default_name_;
  if (version.empty() && default_ != nullptr && name == default_name_) return default_;
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return Missing(Shown(name),
                   absl::StrCat("model ", Shown(name), " is not served; wanted ", Keys(models_)));
  }
  const Versions& versions = model->second;
  if (version.empty()) return versions.rbegin()->second;
  const auto found = versions.find(version);
  if (found == versions.end()) {
    return Missing(absl::StrCat(Shown(name), "/", Shown(version)),
                   absl::StrCat("model ", Shown(name), ", version ", Shown(version),
                                " is not served; wanted version ", Keys(versions)));
  }
  return found->second;
}

void ModelRegistry::SetDefault(const std::string& name) {
  MutexLock lock(&mutex_);
  if (!default_is_chosen_) default_name_ = name;
  UpdateDefault();
}

void ModelRegistry::UpdateDefault() {
  if (default_name_.empty()) default_name_ = models_.begin()->first;
  const auto model = models_.find(default_name_);
  default_ = model == models_.end() ? nullptr : model->second.rbegin()->second;
}

}  // namespace hellocnn::server
