// One Classify call, from the parsed request to the status.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/batching/job.h"
#include "server/rpc/serving_context.h"
#include "server/telemetry/statistics.h"

namespace hellocnn::server {

// Owns itself: OnDone deletes it. gRPC owns request and response and keeps both until OnDone, which
// cannot come before Finish. Finish is the last thing that the job's `done` does, so the pixels
// outlive the batcher's use of them.
class ClassifyCall : public grpc::ServerUnaryReactor {
 public:
  // The reactor for gRPC. If the request is not accepted, the call is ended at once. Does not
  // block.
  static grpc::ServerUnaryReactor* Start(const ServingContext* serving,
                                         grpc::CallbackServerContext* context,
                                         const v1::ClassifyRequest* request,
                                         v1::ClassifyResponse* response);

 private:
  ClassifyCall(const ServingContext* serving, grpc::CallbackServerContext* context,
               v1::ClassifyResponse* response, absl::Time start);

  // Queues the job. On an error nothing is queued and Answer is still to be called.
  absl::Status Submit(const v1::ClassifyRequest& request, Batcher* batcher);
  // `done` of the job: runs on a worker.
  void OnJobDone(const absl::Status& status, std::span<const Prediction> predictions,
                 const JobTiming& timing);
  // Finishes the call. `this` may be gone when it returns.
  void Answer(const absl::Status& status);

  void OnCancel() override;
  void OnDone() override;
  // Lets gRPC call the two above on the thread that it is on. Else it hands each over to a thread
  // of its executor, once a call: for what they do, that is most of the cost.
  bool InternalInlineable() override { return true; }

  const ServingContext* const serving_;
  grpc::CallbackServerContext* const context_;
  v1::ClassifyResponse* const response_;
  const absl::Time start_;
  bool entered_ = false;  // and has to leave
  std::shared_ptr<Job>
      job_;  // set before gRPC gets the reactor, so before OnCancel; null if not queued

  // What OnDone tells the metrics, for only then is it known whether the answer could be sent.
  absl::StatusCode code_ = absl::StatusCode::kOk;
  absl::Duration duration_;
  std::size_t sent_bytes_ = 0;
  AnswerStatistics answer_;                           // of no image if there is no answer
  absl::Time cancelled_at_ = absl::InfiniteFuture();  // by the caller, or gRPC at the deadline
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
