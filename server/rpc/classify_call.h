// One Classify call, from the parsed request to the status.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/batching/batcher.h"
#include "server/batching/job.h"
#include "server/rpc/async_call.h"
#include "server/rpc/serving_context.h"
#include "server/telemetry/statistics.h"

namespace hellocnn::server {

// The pixels of its job are in the request, which lives as long as the call, and that cannot end
// before Finish: the last thing that the job's `done` does. So they outlive the batcher's use of
// them.
class ClassifyCall final : public UnaryCall<v1::ClassifyRequest, v1::ClassifyResponse> {
 public:
  // Takes the next call from `events`, and then another one, for as long as gRPC has calls.
  static void Listen(const ServingContext* serving, v1::ClassifierService::AsyncService* service,
                     CompletionEvents* events);

 private:
  ClassifyCall(const ServingContext* serving, v1::ClassifierService::AsyncService* service,
               CompletionEvents* events);

  // Queues the job. On an error nothing is queued and Answer is still to be called.
  absl::Status Submit(Batcher* batcher);
  // `done` of the job: runs on a worker.
  void OnJobDone(const absl::Status& status, std::span<const Prediction> predictions,
                 const JobTiming& timing);
  // Finishes the call. `this` may be gone when it returns.
  void Answer(const absl::Status& status);

  void OnCall() override;
  void OnCancel() override;
  void OnDone() override;

  const ServingContext* const serving_;
  v1::ClassifierService::AsyncService* const service_;
  absl::Time start_;
  bool entered_ = false;  // and has to leave
  const std::shared_ptr<Job> job_ = std::make_shared<Job>();

  // What OnDone tells the metrics, for only then is it known whether the answer could be sent.
  absl::StatusCode code_ = absl::StatusCode::kOk;
  absl::Duration duration_;
  std::size_t sent_bytes_ = 0;
  AnswerStatistics answer_;                           // of no image if there is no answer
  absl::Time cancelled_at_ = absl::InfiniteFuture();  // by the caller, or gRPC at the deadline
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
