// The models that are served now.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
#define HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/version_number.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// Returns what ModelRegistry::Find did not find, "mnist" or "mnist/7", if that is what `status`
// says.
std::optional<std::string> MissingModel(const absl::Status& status);

// Maps names and versions to servables. Requests get handles, so a version that is withdrawn lives
// exactly as long as its last request.
//
// The highest version of a model is its current one. Requests that name no version get it.
//
// Thread-safe; nothing blocks for longer than a look into the map.
class ModelRegistry {
 public:
  // Requests that name no model get `default_model`, or, if that is empty, the model that was
  // published first or that SetDefault has named since. They get no other if it is not served.
  explicit ModelRegistry(std::string default_model = "")
      : default_is_chosen_(!default_model.empty()), default_name_(std::move(default_model)) {}

  // Has no effect if the default model was chosen.
  void SetDefault(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a servable available to requests. ALREADY_EXISTS: its name and version are taken.
  absl::Status Publish(ServableHandle servable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a version unavailable and returns it, so that the caller can wait for its last request
  // and free its queue. NOT_FOUND names it.
  absl::StatusOr<ServableHandle> Withdraw(const std::string& name, const std::string& version)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable for a request that names a model, a version, both or, with empty strings,
  // none. UNAVAILABLE: no model is served at all. NOT_FOUND: that one is not; the message names it
  // and what is served instead.
  absl::StatusOr<ServableHandle> Find(std::string_view name, std::string_view version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable for requests that name no model, as Find does.
  absl::StatusOr<ServableHandle> Default() const { return Find({}, {}); }

 private:
  using Versions = std::map<std::string, ServableHandle, VersionOrder>;

  void UpdateDefault() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool default_is_chosen_;
  mutable Mutex mutex_;
  std::map<std::string, Versions, std::less<>> models_ ABSL_GUARDED_BY(mutex_);  // none is empty
  std::string default_name_ ABSL_GUARDED_BY(mutex_);
  ServableHandle default_ ABSL_GUARDED_BY(mutex_);  // null if that model is not served
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
