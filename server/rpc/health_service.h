// grpc.health.v1.Health: gRPC's own implementation would bring threads that poll beside the
// workers.
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

// The state of one server, which is also that of each service it has: SERVING while the lifecycle
// is serving, otherwise NOT_SERVING.
// Thread-safe. Must outlive the gRPC server that it is registered with, and the calls.
class HealthService
    : public grpc::health::v1::Health::WithRawMethod_Check<
          grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service>> {
 public:
  using State = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // Whoever wants to hear of changes.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // StateOf may have changed. On the thread that made it, with no lock held.
    virtual void OnChange() = 0;
  };

  // `services` by their full names; "", the server as a whole, is always there. `lifecycle`
  // outlives this.
  HealthService(std::vector<std::string> services, Lifecycle* lifecycle);

  // Takes the calls of a server that has started. `events` outlives them.
  void Listen(CompletionEvents* events);

  // SERVICE_UNKNOWN: there is no such service.
  State StateOf(const std::string& service) const;
  // From now on `watcher` is told of changes, until RemoveWatcher; a call that has begun then goes
  // on.
  void AddWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void TellWatchers() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::set<std::string> services_;
  const Lifecycle* const lifecycle_;
  Mutex mutex_;
  std::set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // ends before the rest goes
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_
