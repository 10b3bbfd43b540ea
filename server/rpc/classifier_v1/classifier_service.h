// hellocnn.v1.ClassifierService with the models of a registry.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_

#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/observability/events.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/model_registry.h"
#include "server/serving/request_limits.h"

namespace hellocnn::server {

inline constexpr char kClassifierService[] = "hellocnn.v1.ClassifierService";

// Thread-safe. Must outlive the transport that serves it.
class ClassifierService {
 public:
  // `admission` decides which calls are served. GetModel describes the default model of `registry`.
  // Registers the methods with the events of `accounting`. All pointers must outlive the service.
  ClassifierService(const RequestLimits& limits, const Accounting& accounting, Admission* admission,
                    const ModelRegistry* registry);

  // Returns the service for a transport.
  Service Describe() const;

  // Returns the response to GetModel, or UNAVAILABLE if no model has been loaded yet.
  absl::StatusOr<v1::GetModelResponse> DescribeModel() const;

 private:
  const RequestLimits limits_;
  const CallContext context_;
  const ModelRegistry* const registry_;
  const ServedMethod classify_;
  const ServedMethod classify_stream_;
  const ServedMethod get_model_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_
