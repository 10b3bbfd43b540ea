// Implements grpc.health.v1.Health. gRPC's own implementation would add threads that poll beside
// the workers.
#ifndef HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_
#define HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "server/rpc/health/health.pb.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/lifecycle.h"

namespace hellocnn::server {

// Reports the state of one server, which is also the state of each of its services: SERVING while
// the lifecycle is serving, otherwise NOT_SERVING. Watches end with UNAVAILABLE when the server
// drains.
//
// A model has a state too, under the name "models/NAME", and so has a version of it, under
// "models/NAME/versions/VERSION". It is NOT_SERVING also while the model or version should be
// served and is not.
//
// Thread-safe. Must outlive the transport that serves it.
class HealthService {
 public:
  using State = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // What it asks about models. Both functions are thread-safe and do not block.
  struct Models {
    // Returns whether a version of a model is served, or, if `version` is empty, any version of it.
    // Returns nothing for what is unknown.
    std::function<std::optional<bool>(std::string_view name, std::string_view version)> is_served;
    // Returns the name and the version of each version that is known.
    std::function<std::vector<std::pair<std::string, std::string>>()> list;
  };

  // An observer of changes.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // Called when the result of StateOf may have changed, on the thread that made the change, with
    // no lock held.
    virtual void OnChange() = 0;
  };

  // `services` has the full names of the services. The name "", which is the server as a whole, is
  // always known. `lifecycle` and what `models` uses must outlive this object.
  HealthService(std::vector<std::string> services, Lifecycle* lifecycle, Models models);

  // Returns the service for a transport.
  Service Describe();

  // Must be called when what Models returns may have changed, with no lock held.
  void OnModelsChanged() { TellWatchers(); }

  // Returns the state of a service or a model, or SERVICE_UNKNOWN if there is none of that
  // name.
  State StateOf(const std::string& service) const;
  // Returns every name for which StateOf does not return SERVICE_UNKNOWN.
  std::set<std::string> ListNames() const;
  // Returns true if watches are to end, because the state will not change any more.
  bool is_final() const { return lifecycle_->state() >= LifecycleState::kDraining; }
  // AddWatcher registers `watcher` for changes until RemoveWatcher. A call of OnChange that has
  // begun may still be running when RemoveWatcher returns.
  void AddWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void TellWatchers() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns whether what `service` names is served, if it names a model or a version.
  std::optional<bool> IsModelServed(std::string_view service) const;

  const std::set<std::string> services_;
  const Lifecycle* const lifecycle_;
  const Models models_;
  Mutex mutex_;
  std::set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // last, to be destroyed first
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_
