// hellocnn.v1.ClassifierService with the models of a registry.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/observability/events.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_status.h"
#include "server/serving/request_limits.h"

namespace hellocnn::server {

inline constexpr char kClassifierService[] = "hellocnn.v1.ClassifierService";

// Thread-safe. Must outlive the transport that serves it.
class ClassifierService {
 public:
  // Returns all versions of all models, for ListModels. Thread-safe.
  using ListModels = std::function<std::vector<ModelStatus>()>;

  // `admission` decides which calls are served, and the models of `registry` respond to them.
  // Registers the methods with the events of `accounting`. All pointers, and what `list` uses, must
  // outlive the service.
  ClassifierService(const RequestLimits& limits, const Accounting& accounting, Admission* admission,
                    const ModelRegistry* registry, ListModels list);

  // Returns the service for a transport.
  Service Describe() const;

  // Returns the response to GetModel, or the error of ModelRegistry::Find.
  absl::StatusOr<v1::GetModelResponse> Respond(const v1::GetModelRequest& request) const;
  // Returns the response to ListModels.
  absl::StatusOr<v1::ListModelsResponse> Respond(const v1::ListModelsRequest& request) const;

 private:
  const RequestLimits limits_;
  const CallContext context_;
  const ModelRegistry* const registry_;
  const ListModels list_;
  const ServedMethod classify_;
  const ServedMethod classify_stream_;
  const ServedMethod get_model_;
  const ServedMethod list_models_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CLASSIFIER_SERVICE_H_
