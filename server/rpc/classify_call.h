// One Classify call, from the request's bytes to the status.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "base/clock.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/rpc/answer.h"
#include "server/rpc/async_call.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/idle_calls.h"
#include "server/rpc/serving_context.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// It is its own job. The call cannot end before Finish, the last thing that Done does: so all that
// the job needs outlives the workers' use of it.
class ClassifyCall final : public UnaryCall, private Job {
 public:
  // Takes the next call from `events`, and then another one, for as long as gRPC has calls. Objects
  // of calls that are over wait in `idle`, which outlives them.
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events, IdleCalls<ClassifyCall>* idle);

 private:
  ClassifyCall(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events,
               IdleCalls<ClassifyCall>* idle);

  // Admits the call, reads its request and queues the job. If it is rejected, nothing is queued and
  // Respond is still to be called.
  std::optional<Rejection> Submit();
  // Finishes the call; what it took is given back. `this` may be gone when it returns.
  void Respond(const absl::Status& status);

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

  // These are of one call. Only OnDone ends the scope: before that it is not known whether the
  // response could be sent.
  CallScope scope_;
  std::size_t sent_bytes_ = 0;           // of the response
  std::optional<Instant> cancelled_at_;  // by the caller, or by gRPC at the deadline
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
