// One Classify call that does not block, with its attempts.
#ifndef HELLOCNN_CLIENT_HEDGED_CALL_H_
#define HELLOCNN_CLIENT_HEDGED_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/cancellation.h"
#include "client/connection_pool.h"
#include "hellocnn/client/client.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

// The first attempt that succeeds decides the result, and the others are cancelled. An attempt that
// fails decides it only if no other is in flight. A HedgedCall lives until its last attempt has
// ended. Thread-safe.
class HedgedCall : public std::enable_shared_from_this<HedgedCall> {
 public:
  // Starts a call. `callback` runs exactly once, on a thread of gRPC.
  static void Start(std::shared_ptr<ConnectionPool> pool, v1::ClassifyRequest request,
                    Instant deadline, const std::optional<Cancellation>& cancellation,
                    Client::ClassifyCallback callback);

  // Only Start may call this.
  HedgedCall(std::shared_ptr<ConnectionPool> pool, v1::ClassifyRequest request, Instant deadline,
             Client::ClassifyCallback callback);

 private:
  struct Attempt {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    Instant start;
    int number = 0;
  };
  using Attempts = std::vector<std::shared_ptr<Attempt>>;

  void SetAlarms();
  // Sends one more attempt, unless the call has been decided.
  void Send();
  void OnEnd(Attempt& attempt, const grpc::Status& status);
  void Cancel();

  const std::shared_ptr<ConnectionPool> pool_;
  const v1::ClassifyRequest request_;
  const Instant deadline_;
  const unsigned turn_;
  const Client::ClassifyCallback callback_;
  std::vector<grpc::Alarm> alarms_;  // one for each hedge
  std::optional<CancellationRegistration> registration_;

  Mutex mutex_;
  Attempts attempts_ ABSL_GUARDED_BY(mutex_);
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool decided_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_HEDGED_CALL_H_
