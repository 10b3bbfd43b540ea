#include "server/rpc/classifier_v1/classifier_service.h"

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "base/shown.h"
#include "server/rpc/classifier_v1/codec.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/direct_call.h"
#include "server/rpc/core/stream_call.h"
#include "server/rpc/core/unary_call.h"

namespace hellocnn::server {
namespace {

v1::ModelStatus::State StateOf(ModelStatus::State state) {
  switch (state) {
    case ModelStatus::State::kLoading:
      return v1::ModelStatus::STATE_LOADING;
    case ModelStatus::State::kServing:
      return v1::ModelStatus::STATE_SERVING;
    case ModelStatus::State::kStandby:
      return v1::ModelStatus::STATE_STANDBY;
    case ModelStatus::State::kRolledBack:
      return v1::ModelStatus::STATE_ROLLED_BACK;
    case ModelStatus::State::kDraining:
      return v1::ModelStatus::STATE_DRAINING;
    case ModelStatus::State::kFailed:
      return v1::ModelStatus::STATE_FAILED;
  }
  return v1::ModelStatus::STATE_UNSPECIFIED;
}

// The number of calls that gRPC may begin before the server has handled the first of them. A
// smaller number works too, but gRPC must then find room for each call of a burst.
constexpr int kBurst = 64;

ServedMethod AddMethod(Events* events, const char* method, bool takes_images) {
  return {.id = events->AddMethod(
              {.service = kClassifierService, .method = method, .takes_images = takes_images}),
          .name = method};
}

}  // namespace

ClassifierService::ClassifierService(const RequestLimits& limits, const Accounting& accounting,
                                     Admission* admission, const ModelRegistry* registry,
                                     ListModels list)
    : limits_(limits),
      context_{accounting, admission, registry, limits.max_images_per_request},
      registry_(registry),
      list_(std::move(list)),
      classify_(AddMethod(accounting.events, "Classify", true)),
      classify_stream_(AddMethod(accounting.events, "ClassifyStream", true)),
      get_model_(AddMethod(accounting.events, "GetModel", false)),
      list_models_(AddMethod(accounting.events, "ListModels", false)) {}

Service ClassifierService::Describe() const {
  return {.name = kClassifierService,
          .unary =
              {{.name = "Classify",
                .make_handler =
                    [this](UnaryRpc* rpc) {
                      return std::make_unique<UnaryCall<ClassifyCodec>>(&context_, classify_, rpc);
                    },
                .burst = kBurst,
                .right = Right::kClassify},
               {.name = "GetModel",
                .make_handler =
                    [this](UnaryRpc* rpc) {
                      return std::make_unique<DirectCall<ClassifierService, v1::GetModelRequest>>(
                          this, &context_.accounting, get_model_, rpc);
                    },
                .right = Right::kClassify},
               {.name = "ListModels",
                .make_handler =
                    [this](UnaryRpc* rpc) {
                      return std::make_unique<DirectCall<ClassifierService, v1::ListModelsRequest>>(
                          this, &context_.accounting, list_models_, rpc);
                    },
                .right = Right::kIntrospect}},
          .streams = {{.name = "ClassifyStream",
                       .make_handler =
                           [this](StreamRpc* rpc) {
                             return std::make_shared<StreamCall<ClassifyStreamCodec>>(
                                 &context_, classify_stream_, rpc);
                           },
                       .right = Right::kClassify}}};
}

// A draining server still has its models. Only a server that is loading does not know them yet.
absl::StatusOr<v1::GetModelResponse> ClassifierService::Respond(
    const v1::GetModelRequest& request) const {
  const absl::StatusOr<ServableHandle> servable =
      registry_->Find(request.model().name(), request.model().version());
  if (!servable.ok()) return servable.status();
  v1::GetModelResponse description;
  *description.mutable_model() = hellocnn::server::DescribeModel((*servable)->card());
  v1::Limits& limits = *description.mutable_limits();
  limits.set_max_images_per_request(limits_.max_images_per_request);
  limits.set_max_batch_size(limits_.max_batch_size);
  limits.set_queue_capacity(limits_.queue_capacity);
  limits.set_max_message_bytes(limits_.max_message_bytes);
  return description;
}

absl::StatusOr<v1::ListModelsResponse> ClassifierService::Respond(
    const v1::ListModelsRequest& /*request*/) const {
  const auto is = [this](std::string_view name, const ModelStatus& status) {
    const absl::StatusOr<ServableHandle> servable = registry_->Find(name, {});
    return servable.ok() && (*servable)->name() == status.name &&
           (*servable)->version() == status.version;
  };
  v1::ListModelsResponse response;
  for (const ModelStatus& status : list_()) {
    v1::ModelStatus& model = *response.add_models();
    model.mutable_version()->set_name(status.name);
    model.mutable_version()->set_version(status.version);
    model.set_state(StateOf(status.state));
    model.set_reason(Printable(status.reason));
    model.set_is_current(is(status.name, status));
    model.set_is_default(is({}, status));
    if (!status.rollout.has_value()) continue;
    v1::Rollout& rollout = *model.mutable_rollout();
    rollout.set_mode(status.rollout->mode == hellocnn::Rollout::Mode::kShadow
                         ? v1::Rollout::MODE_SHADOW
                         : v1::Rollout::MODE_CANARY);
    rollout.set_share(status.rollout->share);
  }
  return response;
}

}  // namespace hellocnn::server
