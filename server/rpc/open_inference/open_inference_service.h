// inference.GRPCInferenceService: the Open Inference Protocol, which clients of Triton and KServe
// speak, with the models of a registry.
#ifndef HELLOCNN_SERVER_RPC_OPEN_INFERENCE_OPEN_INFERENCE_SERVICE_H_
#define HELLOCNN_SERVER_RPC_OPEN_INFERENCE_OPEN_INFERENCE_SERVICE_H_

#include <google/protobuf/empty.pb.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/open_inference.pb.h"
#include "server/observability/events.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_status.h"
#include "server/serving/request_limits.h"

namespace hellocnn::server {

inline constexpr char kOpenInferenceService[] = "inference.GRPCInferenceService";

// What was counted of one model since it was loaded.
struct ModelTotals {
  std::uint64_t images = 0;     // in OK responses
  std::uint64_t batches = 0;    // computed, also of what was only compared
  std::uint64_t succeeded = 0;  // requests
  std::uint64_t failed = 0;     // requests
  absl::Duration request_time;  // of all requests together, those that failed included
  absl::Duration queue_time;    // of all requests together
  absl::Duration compute_time;  // of all batches together
};

// Thread-safe. Must outlive the transport that serves it.
class OpenInferenceService {
 public:
  // What the calls read and do. Thread-safe; none blocks for longer than a look into tables.
  struct Actions {
    // Returns all versions of all models.
    std::function<std::vector<ModelStatus>()> list;
    // Returns the counts of a model. Null if nothing is counted.
    std::function<ModelTotals(ModelId model)> totals;
    // Looks for new versions of models. Null if clients may not ask for it.
    std::function<void()> poll;
  };

  // `admission` decides which calls are served, and the models of `registry` respond to them.
  // `max_queue_delay` is told to clients. Registers the methods with the events of `accounting`.
  // All pointers, and what the actions use, must outlive the service.
  OpenInferenceService(const RequestLimits& limits, absl::Duration max_queue_delay,
                       const Accounting& accounting, Admission* admission,
                       const Lifecycle* lifecycle, const ModelRegistry* registry, Actions actions);

  // Returns the service for a transport.
  Service Describe() const;

  // Return the responses, or the error of ModelRegistry::Find.
  absl::StatusOr<inference::ServerLiveResponse> Respond(const inference::ServerLiveRequest&) const;
  absl::StatusOr<inference::ServerReadyResponse> Respond(
      const inference::ServerReadyRequest&) const;
  absl::StatusOr<inference::ModelReadyResponse> Respond(
      const inference::ModelReadyRequest& request) const;
  absl::StatusOr<inference::ServerMetadataResponse> Respond(
      const inference::ServerMetadataRequest&) const;
  absl::StatusOr<inference::ModelMetadataResponse> Respond(
      const inference::ModelMetadataRequest& request) const;
  absl::StatusOr<inference::ModelConfigResponse> Respond(
      const inference::ModelConfigRequest& request) const;
  absl::StatusOr<inference::ModelStatisticsResponse> Respond(
      const inference::ModelStatisticsRequest& request) const;
  absl::StatusOr<inference::RepositoryIndexResponse> Respond(
      const inference::RepositoryIndexRequest& request) const;
  // Lets the server look for new versions, and does not wait for it. OK if a version of the model
  // is served now. PERMISSION_DENIED: clients may not ask for it. UNAVAILABLE: it is not served
  // yet. FAILED_PRECONDITION: the last look found that it cannot be served; the message says why.
  // INVALID_ARGUMENT: no name, or parameters, of which there are none.
  absl::StatusOr<inference::RepositoryModelLoadResponse> Respond(
      const inference::RepositoryModelLoadRequest& request) const;
  // UNIMPLEMENTED for each method of Triton's that this server does not have: a client that gets no
  // message takes it for success.
  absl::StatusOr<google::protobuf::Empty> Respond(const google::protobuf::Empty&) const;
  // UNIMPLEMENTED: folders decide which models are served.
  absl::StatusOr<inference::RepositoryModelUnloadResponse> Respond(
      const inference::RepositoryModelUnloadRequest& request) const;

 private:
  const RequestLimits limits_;
  const absl::Duration max_queue_delay_;
  const CallContext context_;
  const Lifecycle* const lifecycle_;
  const ModelRegistry* const registry_;
  const Actions actions_;
  // By the order of their names in the .cc file.
  const std::vector<ServedMethod> methods_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_OPEN_INFERENCE_OPEN_INFERENCE_SERVICE_H_
