#include "server/rpc/classifier_v1/classifier_service.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/classifier_v1/codec.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/core/stream_call.h"
#include "server/rpc/core/unary_call.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

class GetModelCall final : public CallHandler {
 public:
  GetModelCall(const ClassifierService* service, const Accounting* accounting, ServedMethod method,
               UnaryRpc* rpc)
      : service_(service), accounting_(accounting), method_(method), rpc_(rpc) {}

 private:
  void OnCall() override {
    scope_.Begin(accounting_, method_, Instant::InfiniteFuture(), rpc_->request()->size());
    const std::optional<Rejection> rejection = Respond();
    if (rejection.has_value()) scope_.OnRejected(rejection->reason);
    const absl::Status status = rejection.has_value() ? rejection->status : absl::OkStatus();
    scope_.OnReady(status, *rpc_);
    scope_.End(rpc_->response()->size());
    rpc_->Finish(status);
  }

  std::optional<Rejection> Respond() {
    v1::GetModelRequest nothing;
    absl::Status status = Parse(rpc_->request(), &nothing);
    if (!status.ok()) return Rejection::Invalid(std::move(status));
    const absl::StatusOr<v1::GetModelResponse> description = service_->DescribeModel();
    if (!description.ok()) return Rejection::Loading();
    Serialize(*description, rpc_->response());
    return std::nullopt;
  }

  const ClassifierService* const service_;
  const Accounting* const accounting_;
  const ServedMethod method_;
  UnaryRpc* const rpc_;
  CallScope scope_;
};

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
                                     Admission* admission, const ModelRegistry* registry)
    : limits_(limits),
      context_{accounting, admission, limits.max_images_per_request},
      registry_(registry),
      classify_(AddMethod(accounting.events, "Classify", true)),
      classify_stream_(AddMethod(accounting.events, "ClassifyStream", true)),
      get_model_(AddMethod(accounting.events, "GetModel", false)) {}

Service ClassifierService::Describe() const {
  return {.name = kClassifierService,
          .unary = {{.name = "Classify",
                     .make_handler =
                         [this](UnaryRpc* rpc) {
                           return std::make_unique<UnaryCall<ClassifyCodec>>(&context_, classify_,
                                                                             rpc);
                         },
                     .burst = kBurst},
                    {.name = "GetModel",
                     .make_handler =
                         [this](UnaryRpc* rpc) {
                           return std::make_unique<GetModelCall>(this, &context_.accounting,
                                                                 get_model_, rpc);
                         }}},
          .streams = {{.name = "ClassifyStream", .make_handler = [this](StreamRpc* rpc) {
                         return std::make_shared<StreamCall<ClassifyStreamCodec>>(
                             &context_, classify_stream_, rpc);
                       }}}};
}

// A draining server still has its model. Only a server that is loading does not know it yet.
absl::StatusOr<v1::GetModelResponse> ClassifierService::DescribeModel() const {
  const absl::StatusOr<ServableHandle> servable = registry_->Default();
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

}  // namespace hellocnn::server
