// grpc.health.v1.Health: gRPC's own implementation would bring threads that poll beside the
// workers.
#ifndef HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_
#define HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/completion_events.h"
#include "server/rpc/health.grpc.pb.h"

namespace hellocnn::server {

// The state of one server, which is also that of each service it has. NOT_SERVING at first.
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

  // `services` by their full names; "", the server as a whole, is always there.
  explicit HealthService(std::vector<std::string> services);

  // Takes the calls of a server that has started. `events` outlives them.
  void Listen(CompletionEvents* events);

  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mutex_);

  // SERVICE_UNKNOWN: there is no such service.
  State StateOf(const std::string& service) const ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on `watcher` is told of changes, until RemoveWatcher; a call that has begun then goes
  // on.
  void AddWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveWatcher(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::set<std::string> services_;
  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  std::set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_HEALTH_SERVICE_H_
