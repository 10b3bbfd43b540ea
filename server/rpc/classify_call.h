// One Classify call, from the request's bytes to the status.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/events.h"
#include "server/rpc/answer.h"
#include "server/rpc/async_call.h"
#include "server/rpc/idle_calls.h"
#include "server/rpc/serving_context.h"
#include "server/runtime/batcher.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// It is its own job. The call cannot end before Finish, the last thing that Done does: so all that
// the job needs outlives the batcher's use of it.
class ClassifyCall final : public UnaryCall, private Job {
 public:
  // Takes the next call from `events`, and then another one, for as long as gRPC has calls. Objects
  // of calls that are over wait in `idle`, which outlives them.
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events, IdleCalls<ClassifyCall>* idle);

 private:
  ClassifyCall(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events,
               IdleCalls<ClassifyCall>* idle);

  // Queues the job. On an error nothing is queued and End is still to be called.
  absl::Status Submit(Batcher* batcher);
  // Finishes the call; what it took is given back. `this` may be gone when it returns.
  void End(const absl::Status& status);

  void OnCall() override;
  void Accepted() override;  // of the job
  void Done() override;      // of the job
  void OnCancel() override;
  void OnDone() override;  // of the call
  void Dispose() override;

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
  IdleCalls<ClassifyCall>* const idle_;
  Answer<v1::ClassifyResponse> answer_;

  // Of one call.
  struct Record {
    Instant start;
    bool entered = false;  // and has to leave
    // What OnDone reports, for only then is it known whether the answer could be sent.
    absl::StatusCode code = absl::StatusCode::kOk;
    absl::Duration duration;
    std::size_t sent_bytes = 0;
    int images = 0;                                    // that were computed, all or none
    Instant cancelled_at = Instant::InfiniteFuture();  // by the caller, or gRPC at the deadline
  };
  Record record_;
  std::vector<Confidence> confidences_;  // of the images of one call; kept for the next one
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
