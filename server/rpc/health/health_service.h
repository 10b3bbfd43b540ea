// Implements grpc.health.v1.Health. gRPC's own implementation would add threads that poll beside
// the workers.
#ifndef HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_
#define HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_

#include <memory>
#include <set>
#include <string>
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
// Thread-safe. Must outlive the transport that serves it.
class HealthService {
 public:
  using State = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // An observer of changes.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // Called when the result of StateOf may have changed, on the thread that made the change, with
    // no lock held.
    virtual void OnChange() = 0;
  };

  // `services` has the full names of the services. The name "", which is the server as a whole, is
  // always known. `lifecycle` must outlive this object.
  HealthService(std::vector<std::string> services, Lifecycle* lifecycle);

  // Returns the service for a transport.
  Service Describe();

  // Returns the state of a service, or SERVICE_UNKNOWN if there is no such service.
  State StateOf(const std::string& service) const;
  // Returns true if watches are to end, because the state will not change any more.
  bool is_final() const { return lifecycle_->state() >= LifecycleState::kDraining; }
  // AddWatcher registers `watcher` for changes until RemoveWatcher. A call of OnChange that has
  // begun may still be running when RemoveWatcher returns.
  void AddWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void TellWatchers() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::set<std::string> services_;
  const Lifecycle* const lifecycle_;
  Mutex mutex_;
  std::set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // last, to be destroyed first
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_HEALTH_HEALTH_SERVICE_H_
