// The models that are served now.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
#define HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/version_number.h"
#include "hellocnn/repository/rollout.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// Which versions compute a request.
struct Route {
  ServableHandle responds;
  // Computes the images as well, so that both results can be compared. Most often null.
  ServableHandle compared;
  // Whether `responds` is the candidate, or `compared`.
  bool candidate_responds = false;
};

// Maps names and versions to servables. Requests get handles, so a version that is withdrawn lives
// exactly as long as its last request.
//
// The current version of a model is the highest one that is not a candidate. Requests that name no
// version get it. A share of them goes to the candidate too, or to the candidate instead: see
// Rollout. If a model has only its candidate, that is the current version, and nothing is compared.
//
// Thread-safe; nothing blocks for longer than a look into the map.
class ModelRegistry {
 public:
  // Requests that name no model get `default_model`, or, if that is empty, the model that was
  // published first or that SetDefault has named since. They get no other if it is not served.
  explicit ModelRegistry(std::string default_model = "")
      : default_is_chosen_(!default_model.empty()), default_name_(std::move(default_model)) {}

  // Sets or ends the rollout of a model. It takes effect once the candidate and another version are
  // published, and for as long as they are.
  void SetRollout(const std::string& model, const std::optional<Rollout>& rollout)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Has no effect if the default model was chosen.
  void SetDefault(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a servable available to requests. ALREADY_EXISTS: its name and version are taken.
  absl::Status Publish(ServableHandle servable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a version unavailable and returns it, so that the caller can wait for its last request
  // and free its queue. NOT_FOUND names it.
  absl::StatusOr<ServableHandle> Withdraw(const std::string& name, const std::string& version)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable that a model, a version, both or, with empty strings, none names: the
  // current version if no version is named. UNAVAILABLE: no model is served at all. NOT_FOUND: that
  // one is not; the message names it and what is served instead.
  absl::StatusOr<ServableHandle> Find(std::string_view name, std::string_view version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servables for the next request that names these, and counts it for its rollout.
  // Errors are those of Find.
  absl::StatusOr<Route> RouteRequest(std::string_view name, std::string_view version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A rollout that has taken effect.
  struct ActiveRollout {
    ServableHandle current;
    ServableHandle candidate;
    Rollout rollout;
    // False if they have other classes. Then nothing is compared, and a shadow gets no requests.
    bool comparable = false;
  };
  // Returns that of a model, or nothing.
  std::optional<ActiveRollout> FindRollout(std::string_view model) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable for requests that name no model, as Find does.
  absl::StatusOr<ServableHandle> Default() const { return Find({}, {}); }

 private:
  struct Model {
    std::map<std::string, ServableHandle, VersionOrder> versions;  // not empty
    ServableHandle current;
    std::optional<ActiveRollout> rollout;
    // By how much the candidate is behind its share, in millionths of a request: from -1 to 1
    // request. Whole numbers, so that shares such as 10% are exact.
    mutable std::int64_t owed = 0;
    // It gets a request when it is so far behind. Another random number after each, so that
    // requests that come in turn have the same chance.
    mutable std::int64_t owed_at_most = 0;
  };

  absl::StatusOr<ServableHandle> FindLocked(std::string_view name, std::string_view version) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns null if the model is not served. An empty name stands for the default model.
  const Model* FindModel(std::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Must be called when the versions of a model or its rollout have changed.
  void Update(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateDefault() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool default_is_chosen_;
  mutable Mutex mutex_;
  mutable std::minstd_rand random_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Model, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Rollout> rollouts_ ABSL_GUARDED_BY(mutex_);  // by model, served or not
  std::string default_name_ ABSL_GUARDED_BY(mutex_);
  Model* default_ ABSL_GUARDED_BY(mutex_) = nullptr;  // null if that model is not served
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
