// Implements grpc.health.v1.Health. gRPC's own implementation would add threads that poll beside
// the workers.
#ifndef HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_
#define HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "server/rpc/completion_events.h"
#include "server/rpc/health.grpc.pb.h"
#include "server/serving/lifecycle.h"

namespace hellocnn::server {

// Reports the state of one server, which is also the state of each of its services: SERVING while
// the lifecycle is serving, otherwise NOT_SERVING.
//
// Thread-safe. Must outlive the gRPC server that it is registered with, and the calls.
class HealthService
    : public grpc::health::v1::Health::WithRawMethod_Check<
          grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service>> {
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

  // Takes the calls of a server that has started. `events` must outlive the calls.
  void Listen(CompletionEvents* events);

  // Returns the state of a service, or SERVICE_UNKNOWN if there is no such service.
  State StateOf(const std::string& service) const;
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

#endif  // HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_
