// What the server tells the service manager that started it, such as systemd.
#ifndef HELLOCNN_SERVER_SERVICE_MANAGER_H_
#define HELLOCNN_SERVER_SERVICE_MANAGER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/notify_socket.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_status.h"

namespace hellocnn::server {

// The service manager, which may be nobody. Thread-safe.
class ServiceManager {
 public:
  // Warns in the log of what is wrong in the environment, and of the first message that does not
  // arrive. The server serves all the same.
  explicit ServiceManager(const NotifyEnvironment& environment);

  // Sends assignments as of NotifySocket::Send. Does nothing if nobody wants to be told.
  void Tell(std::string_view assignments);

  // Returns how often it wants to hear "WATCHDOG=1", if it does.
  std::optional<absl::Duration> watchdog() const { return watchdog_; }

 private:
  std::optional<NotifySocket> socket_;
  std::optional<absl::Duration> watchdog_;
  std::atomic<bool> warned_{false};
};

// Tells the service manager the states of a lifecycle, with a sentence for people:
//
//   loading             STATUS
//   OnReady             READY=1, STATUS
//   OnModels            STATUS
//   leaving             STOPPING=1, STATUS, and EXTEND_TIMEOUT_USEC: the drain gets its time
//                       however short the service manager's own patience is
//   draining, stopped   STATUS
//
// A load gets no more time than the service manager gives it, because nobody can tell a long one
// from one that hangs. Thread-safe.
class ServiceStatus {
 public:
  struct Options {
    std::string path;           // of the models
    absl::Duration drain_time;  // from the first signal until the process ends, at most
  };

  // `manager` may be null, and nothing happens then. Both outlive this object.
  ServiceStatus(ServiceManager* manager, Lifecycle* lifecycle, Options options);

  // Must be called once calls are served on `address`.
  void OnReady(std::string address, const std::vector<ModelStatus>& models)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // May be called whenever other versions may be served.
  void OnModels(const std::vector<ModelStatus>& models) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnState(LifecycleState state) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellServing(const std::string& prefix, const std::vector<ModelStatus>& models)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ServiceManager* const manager_;
  const Options options_;
  // Held while a message is sent, so that messages arrive in the order of what happens.
  Mutex mutex_;
  std::string address_ ABSL_GUARDED_BY(mutex_);  // empty until it is ready
  std::string serving_ ABSL_GUARDED_BY(mutex_);  // the last sentence that begins so
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Lifecycle::Observation> observation_;  // the last: it uses all of the above
};

// Returns "Serving model mnist, version 2, on 127.0.0.1:8500.", or how many models there are.
std::string DescribeServing(const std::vector<ModelStatus>& models, std::string_view address);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVICE_MANAGER_H_
