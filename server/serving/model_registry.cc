#include "server/serving/model_registry.h"

#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

absl::Status NotFound(const std::string& name, const std::string& version) {
  return absl::NotFoundError(absl::StrCat("model ", name, ", version ", version, " is not served"));
}

}  // namespace

absl::Status ModelRegistry::Publish(ServableHandle servable) {
  MutexLock lock(&mutex_);
  const auto [at, added] =
      servables_.try_emplace({servable->name(), servable->version()}, servable);
  if (!added) {
    return absl::AlreadyExistsError(absl::StrCat("model ", servable->name(), ", version ",
                                                 servable->version(), " is served already"));
  }
  if (default_ == nullptr) default_ = std::move(servable);
  return absl::OkStatus();
}

absl::StatusOr<ServableHandle> ModelRegistry::Withdraw(const std::string& name,
                                                       const std::string& version) {
  MutexLock lock(&mutex_);
  const auto found = servables_.find({name, version});
  if (found == servables_.end()) return NotFound(name, version);
  ServableHandle servable = std::move(found->second);
  servables_.erase(found);
  if (default_ == servable) {
    default_ = servables_.empty() ? nullptr : servables_.begin()->second;
  }
  return servable;
}

absl::StatusOr<ServableHandle> ModelRegistry::Find(const std::string& name,
                                                   const std::string& version) const {
  MutexLock lock(&mutex_);
  const auto found = servables_.find({name, version});
  if (found == servables_.end()) return NotFound(name, version);
  return found->second;
}

absl::StatusOr<ServableHandle> ModelRegistry::Default() const {
  MutexLock lock(&mutex_);
  if (default_ == nullptr) return absl::UnavailableError("no model is served");
  return default_;
}

}  // namespace hellocnn::server
