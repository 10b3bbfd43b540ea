// The objects that all calls share.
#ifndef HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_
#define HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_

#include <grpc/support/time.h>
#include <grpcpp/server_context.h>

#include "absl/time/time.h"
#include "base/clock.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/events.h"
#include "server/rpc/admission.h"
#include "server/rpc/core/call_scope.h"

namespace hellocnn::server {

// The methods are raw: calls arrive as bytes. async_call.h explains why.
using AsyncClassifier =
    v1::ClassifierService::WithRawMethod_Classify<v1::ClassifierService::WithRawMethod_GetModel<
        v1::ClassifierService::WithRawMethod_ClassifyStream<v1::ClassifierService::Service>>>;

struct MethodIds {
  explicit MethodIds(Events* events);  // registers the methods

  MethodId classify;
  MethodId classify_stream;
  MethodId get_model;
};

// Immutable. The objects that it points to are thread-safe. Must outlive every call.
struct ServingContext {
  v1::GetModelResponse description;
  Accounting accounting;
  MethodIds methods;
  Admission* admission;
};

// Returns the deadline of a call, or InfiniteFuture if the client has set none. gRPC keeps it on
// its monotonic clock, so it does not move when the wall clock is set.
inline Instant DeadlineOf(const grpc::ServerContext& context, const Clock& clock) {
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(context.raw_deadline(), GPR_CLOCK_MONOTONIC),
                   gpr_now(GPR_CLOCK_MONOTONIC));
  if (gpr_time_cmp(left, gpr_inf_future(GPR_TIMESPAN)) == 0) return Instant::InfiniteFuture();
  return clock.Now() + absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_
