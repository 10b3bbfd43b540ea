#include "server/rpc/open_inference/open_inference_service.h"

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "base/version.h"
#include "hellocnn/topology.h"
#include "server/rpc/core/direct_call.h"
#include "server/rpc/core/stream_call.h"
#include "server/rpc/core/unary_call.h"
#include "server/rpc/open_inference/codec.h"

namespace hellocnn::server {
namespace {

constexpr char kPlatform[] = "hellocnn";
constexpr int kBurst = 64;  // as ClassifierService has it

ServedMethod AddMethod(Events* events, const char* method, bool takes_images) {
  return {.id = events->AddMethod(
              {.service = kOpenInferenceService, .method = method, .takes_images = takes_images}),
          .name = method};
}

enum Method : std::size_t {
  kModelInfer,
  kModelStreamInfer,
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelConfig,
  kModelStatistics,
  kRepositoryIndex,
  kRepositoryModelLoad,
  kRepositoryModelUnload,
  kNotSupported,  // and those that follow
};

// Triton's methods that this server does not have.
constexpr std::array kNotSupportedMethods = {"SystemSharedMemoryStatus",
                                             "SystemSharedMemoryRegister",
                                             "SystemSharedMemoryUnregister",
                                             "CudaSharedMemoryStatus",
                                             "CudaSharedMemoryRegister",
                                             "CudaSharedMemoryUnregister",
                                             "TraceSetting",
                                             "LogSettings"};

constexpr char kOther[] = "Other";

std::vector<ServedMethod> AddMethods(Events* events) {
  std::vector<ServedMethod> methods = {AddMethod(events, "ModelInfer", true),
                                       AddMethod(events, "ModelStreamInfer", true)};
  // They are many and rare, so events know them as one, and only the log tells them apart.
  const MethodId other = AddMethod(events, kOther, false).id;
  for (const char* method :
       {"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelConfig",
        "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"}) {
    methods.push_back({.id = other, .name = method});
  }
  for (const char* method : kNotSupportedMethods) {
    methods.push_back({.id = other, .name = method});
  }
  return methods;
}

const char* StateOf(ModelStatus::State state) {
  switch (state) {
    case ModelStatus::State::kServing:
      return "READY";
    case ModelStatus::State::kLoading:
      return "LOADING";
    case ModelStatus::State::kDraining:
      return "UNLOADING";
    case ModelStatus::State::kStandby:
    case ModelStatus::State::kRolledBack:
    case ModelStatus::State::kFailed:
      break;
  }
  return "UNAVAILABLE";
}

void Set(std::uint64_t count, absl::Duration time, inference::StatisticDuration* duration) {
  duration->set_count(count);
  duration->set_ns(static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(time)));
}

inference::ModelStatistics StatisticsOf(const ModelStatus& status, const ModelTotals& totals) {
  inference::ModelStatistics statistics;
  statistics.set_name(status.name);
  statistics.set_version(status.version);
  statistics.set_inference_count(totals.images);
  statistics.set_execution_count(totals.batches);
  inference::InferStatistics& times = *statistics.mutable_inference_stats();
  const std::uint64_t requests = totals.succeeded;
  // A request that fails is most often rejected, which takes next to no time.
  Set(totals.succeeded, totals.request_time, times.mutable_success());
  Set(totals.failed, absl::ZeroDuration(), times.mutable_fail());
  Set(requests, totals.queue_time, times.mutable_queue());
  // The images are read in place, and the results are written as they are.
  Set(requests, absl::ZeroDuration(), times.mutable_compute_input());
  // A batch is computed once for all of its requests. perf_analyzer wants one count everywhere.
  Set(requests, totals.compute_time, times.mutable_compute_infer());
  Set(requests, absl::ZeroDuration(), times.mutable_compute_output());
  return statistics;
}

}  // namespace

OpenInferenceService::OpenInferenceService(const RequestLimits& limits,
                                           absl::Duration max_queue_delay,
                                           const Accounting& accounting, Admission* admission,
                                           const Lifecycle* lifecycle,
                                           const ModelRegistry* registry, Actions actions)
    : limits_(limits),
      max_queue_delay_(max_queue_delay),
      context_{accounting, admission, registry, limits.max_images_per_request},
      lifecycle_(lifecycle),
      registry_(registry),
      actions_(std::move(actions)),
      methods_(AddMethods(accounting.events)) {}

Service OpenInferenceService::Describe() const {
  const auto method = [this]<typename Request>(std::size_t number, const Request&,
                                               Right right = Right::kAdmin) {
    const ServedMethod& served = methods_[number];
    return UnaryMethod{.name = std::string(served.name),
                       .make_handler =
                           [this, &served](UnaryRpc* rpc) {
                             return std::make_unique<DirectCall<OpenInferenceService, Request>>(
                                 this, &context_.accounting, served, rpc);
                           },
                       .right = right,
                       .counted_as = kOther};
  };
  Service service = {
      .name = kOpenInferenceService,
      .unary = {{.name = "ModelInfer",
                 .make_handler =
                     [this](UnaryRpc* rpc) {
                       return std::make_unique<UnaryCall<ModelInferCodec>>(
                           &context_, methods_[kModelInfer], rpc);
                     },
                 .burst = kBurst,
                 .right = Right::kClassify},
                method(kServerLive, inference::ServerLiveRequest(), Right::kNone),
                method(kServerReady, inference::ServerReadyRequest(), Right::kNone),
                method(kModelReady, inference::ModelReadyRequest(), Right::kClassify),
                method(kServerMetadata, inference::ServerMetadataRequest(), Right::kClassify),
                method(kModelMetadata, inference::ModelMetadataRequest(), Right::kClassify),
                method(kModelConfig, inference::ModelConfigRequest(), Right::kClassify),
                method(kModelStatistics, inference::ModelStatisticsRequest(), Right::kIntrospect),
                method(kRepositoryIndex, inference::RepositoryIndexRequest(), Right::kIntrospect),
                method(kRepositoryModelLoad, inference::RepositoryModelLoadRequest()),
                method(kRepositoryModelUnload, inference::RepositoryModelUnloadRequest())},
      .streams = {{.name = "ModelStreamInfer",
                   .make_handler =
                       [this](StreamRpc* rpc) {
                         return std::make_shared<StreamCall<ModelStreamInferCodec>>(
                             &context_, methods_[kModelStreamInfer], rpc);
                       },
                   .right = Right::kClassify}}};
  for (std::size_t i = kNotSupported; i < methods_.size(); ++i) {
    service.unary.push_back(method(i, google::protobuf::Empty()));
  }
  return service;
}

absl::StatusOr<google::protobuf::Empty> OpenInferenceService::Respond(
    const google::protobuf::Empty& /*request*/) const {
  return absl::UnimplementedError(
      "this server has no shared memory and no settings of logs and traces: send tensors in the "
      "request, and see docs/open-inference.md for what there is");
}

absl::StatusOr<inference::ServerLiveResponse> OpenInferenceService::Respond(
    const inference::ServerLiveRequest& /*request*/) const {
  inference::ServerLiveResponse response;
  response.set_live(true);
  return response;
}

absl::StatusOr<inference::ServerReadyResponse> OpenInferenceService::Respond(
    const inference::ServerReadyRequest& /*request*/) const {
  inference::ServerReadyResponse response;
  response.set_ready(lifecycle_->state() == LifecycleState::kServing);
  return response;
}

// A model that there is not is not ready, as Triton says it.
absl::StatusOr<inference::ModelReadyResponse> OpenInferenceService::Respond(
    const inference::ModelReadyRequest& request) const {
  inference::ModelReadyResponse response;
  response.set_ready(lifecycle_->state() == LifecycleState::kServing &&
                     registry_->Find(request.name(), request.version()).ok());
  return response;
}

absl::StatusOr<inference::ServerMetadataResponse> OpenInferenceService::Respond(
    const inference::ServerMetadataRequest& /*request*/) const {
  inference::ServerMetadataResponse response;
  response.set_name("hellocnn");
  response.set_version(kVersion);
  for (const char* extension : {"binary_tensor_data", "classification", "model_configuration",
                                "model_repository", "parameters", "schedule_policy"}) {
    response.add_extensions(extension);
  }
  if (actions_.totals != nullptr) response.add_extensions("statistics");
  return response;
}

absl::StatusOr<inference::ModelMetadataResponse> OpenInferenceService::Respond(
    const inference::ModelMetadataRequest& request) const {
  const absl::StatusOr<ServableHandle> servable =
      registry_->Find(request.name(), request.version());
  if (!servable.ok()) return servable.status();
  const Servable& model = **servable;
  inference::ModelMetadataResponse response;
  response.set_name(model.name());
  for (const ModelStatus& status : actions_.list()) {
    if (status.name == model.name() && status.state == ModelStatus::State::kServing) {
      response.add_versions(status.version);
    }
  }
  response.set_platform(kPlatform);
  auto& input = *response.add_inputs();
  input.set_name(kInputName);
  input.set_datatype("UINT8");
  for (const int extent : {-1, 1, kImageSide, kImageSide}) input.add_shape(extent);
  for (int i = 0; i < kInferOutputs; ++i) {
    const InferOutputType& type = TypeOf(static_cast<InferOutput>(i));
    auto& output = *response.add_outputs();
    output.set_name(type.name);
    output.set_datatype(type.datatype);
    output.add_shape(-1);
    if (type.has_classes) output.add_shape(model.classes());
  }
  (*response.mutable_properties())["input_datatypes"] = "UINT8,FP32";
  return response;
}

absl::StatusOr<inference::ModelConfigResponse> OpenInferenceService::Respond(
    const inference::ModelConfigRequest& request) const {
  const absl::StatusOr<ServableHandle> servable =
      registry_->Find(request.name(), request.version());
  if (!servable.ok()) return servable.status();
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name((*servable)->name());
  config.set_platform(kPlatform);
  config.set_backend(kPlatform);
  config.set_max_batch_size(limits_.max_images_per_request);
  inference::ModelInput& input = *config.add_input();
  input.set_name(kInputName);
  input.set_data_type(inference::TYPE_UINT8);
  for (const int extent : {1, kImageSide, kImageSide}) input.add_dims(extent);
  for (int i = 0; i < kInferOutputs; ++i) {
    const InferOutputType& type = TypeOf(static_cast<InferOutput>(i));
    inference::ModelOutput& output = *config.add_output();
    output.set_name(type.name);
    output.set_data_type(type.data_type);
    output.add_dims(type.has_classes ? (*servable)->classes() : 1);
    if (!type.has_classes) output.mutable_reshape();  // to no extent but the batch
  }
  inference::ModelDynamicBatching& batching = *config.mutable_dynamic_batching();
  batching.add_preferred_batch_size(limits_.max_batch_size);
  batching.set_max_queue_delay_microseconds(
      static_cast<std::uint64_t>(absl::ToInt64Microseconds(max_queue_delay_)));
  return response;
}

absl::StatusOr<inference::ModelStatisticsResponse> OpenInferenceService::Respond(
    const inference::ModelStatisticsRequest& request) const {
  inference::ModelStatisticsResponse response;
  for (const ModelStatus& status : actions_.list()) {
    if (!request.name().empty() && request.name() != status.name) continue;
    if (!request.version().empty() && request.version() != status.version) continue;
    if (status.state != ModelStatus::State::kServing) continue;
    const absl::StatusOr<ServableHandle> servable = registry_->Find(status.name, status.version);
    if (!servable.ok()) continue;  // withdrawn since it was listed
    *response.add_model_stats() = StatisticsOf(
        status, actions_.totals == nullptr ? ModelTotals() : actions_.totals((*servable)->id()));
  }
  if (response.model_stats().empty() && !request.name().empty()) {
    const absl::StatusOr<ServableHandle> servable =
        registry_->Find(request.name(), request.version());
    if (!servable.ok()) return servable.status();
  }
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> OpenInferenceService::Respond(
    const inference::RepositoryIndexRequest& request) const {
  inference::RepositoryIndexResponse response;
  for (const ModelStatus& status : actions_.list()) {
    if (request.ready() && status.state != ModelStatus::State::kServing) continue;
    auto& model = *response.add_models();
    model.set_name(status.name);
    model.set_version(status.version);
    model.set_state(StateOf(status.state));
    model.set_reason(Printable(status.reason));
  }
  return response;
}

absl::StatusOr<inference::RepositoryModelLoadResponse> OpenInferenceService::Respond(
    const inference::RepositoryModelLoadRequest& request) const {
  if (actions_.poll == nullptr) {
    return absl::PermissionDeniedError(
        "this server does not let clients control its models; wanted the option "
        "--model-control=on");
  }
  if (request.model_name().empty() || !request.parameters().empty()) {
    return absl::InvalidArgumentError(
        "wanted a model_name and no parameters: models come from the server's folders");
  }
  actions_.poll();
  if (registry_->Find(request.model_name(), "").ok()) {
    return inference::RepositoryModelLoadResponse();
  }
  for (const ModelStatus& status : actions_.list()) {
    if (status.name != request.model_name() || status.reason.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat("model ", Shown(status.name), ", version ",
                                                      Shown(status.version), ": ",
                                                      Printable(status.reason)));
  }
  return absl::UnavailableError(absl::StrCat(
      "model ", Shown(request.model_name()),
      " is not served yet; the server looks for it now, and RepositoryIndex says what it finds"));
}

absl::StatusOr<inference::RepositoryModelUnloadResponse> OpenInferenceService::Respond(
    const inference::RepositoryModelUnloadRequest& request) const {
  return absl::UnimplementedError(
      absl::StrCat("model ", Shown(request.model_name()),
                   " is served as long as its folder is there; take the folder away to unload it"));
}

}  // namespace hellocnn::server
