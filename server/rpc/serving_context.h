// What every call needs, and none owns.
#ifndef HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_
#define HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_

#include <grpcpp/server_context.h>

#include "absl/time/time.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/metrics.h"
#include "server/rpc/admission.h"

namespace hellocnn::server {

// Calls come as bytes: async_call.h says why.
using AsyncClassifier =
    v1::ClassifierService::WithRawMethod_Classify<v1::ClassifierService::WithRawMethod_GetModel<
        v1::ClassifierService::WithRawMethod_ClassifyStream<v1::ClassifierService::Service>>>;

// Immutable but for what it points to, which is thread-safe. Outlives every call.
struct ServingContext {
  v1::GetModelResponse description;
  Metrics* metrics;
  Admission* admission;
};

// InfiniteFuture if the client has set none.
inline absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const auto deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture()
                                                                  : absl::FromChrono(deadline);
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_SERVING_CONTEXT_H_
