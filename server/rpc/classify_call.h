// One Classify call, from the bytes of the request to the status.
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

// The call is also its own job. It cannot end before Finish, which is the last action of Done. So
// everything that the job needs outlives its use by the workers.
class ClassifyCall final : public UnaryCall, private Job {
 public:
  // Takes one call after the other from `events`, as long as gRPC has calls. The objects of ended
  // calls are kept in `idle`, which must outlive them.
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events, IdleCalls<ClassifyCall>* idle);

 private:
  ClassifyCall(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events,
               IdleCalls<ClassifyCall>* idle);

  // Admits the call, reads its request and queues the job. If the call is rejected, nothing is
  // queued, and the caller must still call Respond.
  std::optional<Rejection> Submit();
  // Finishes the call and frees its memory. `this` may have been deleted when the function returns.
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

  // The following members belong to one call. Only OnDone ends the scope, because it is not known
  // earlier whether the response could be sent.
  CallScope scope_;
  std::size_t sent_bytes_ = 0;           // of the response
  std::optional<Instant> cancelled_at_;  // by the caller, or by gRPC at the deadline
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_CALL_H_
