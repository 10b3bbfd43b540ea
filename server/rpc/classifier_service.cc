#include "server/rpc/classifier_service.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/async_call.h"
#include "server/rpc/bytes.h"
#include "server/rpc/classify_stream.h"
#include "server/rpc/response.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

v1::GetModelResponse Description(const ModelCard& card, const RequestLimits& limits) {
  v1::GetModelResponse description;
  *description.mutable_model() = DescribeModel(card);
  description.mutable_limits()->set_max_images_per_request(limits.max_images_per_request);
  description.mutable_limits()->set_max_batch_size(limits.max_batch_size);
  description.mutable_limits()->set_queue_capacity(limits.queue_capacity);
  description.mutable_limits()->set_max_message_bytes(limits.max_message_bytes);
  return description;
}

class GetModelCall final : public UnaryCall {
 public:
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events) {
    auto* call = new GetModelCall(serving, service, events);
    call->UnaryCall::Listen(service, &AsyncClassifier::RequestGetModel);
  }

 private:
  GetModelCall(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events)
      : UnaryCall(events), serving_(serving), service_(service) {}

  void OnCall() override {
    Listen(serving_, service_, events());
    scope_.Begin(&serving_->accounting, serving_->methods.get_model, Instant::InfiniteFuture(),
                 request()->Length());
    const std::optional<Rejection> rejection = Check();
    if (rejection.has_value()) {
      scope_.OnRejected(rejection->reason);
      scope_.OnReady(rejection->status.code());
      scope_.End(0);
      FinishWithError(ToGrpc(rejection->status));
    } else {
      const grpc::ByteBuffer answer = Serialize(serving_->description);
      scope_.OnReady(absl::StatusCode::kOk);
      scope_.End(answer.Length());
      Finish(answer);
    }
  }

  std::optional<Rejection> Check() {
    // A draining server still has its model. Only a server that is loading does not know it yet.
    if (serving_->admission->loading()) return Rejection::Loading();
    v1::GetModelRequest nothing;
    absl::Status status = Parse(request(), &nothing);
    if (!status.ok()) return Rejection::Invalid(std::move(status));
    return std::nullopt;
  }

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
  CallScope scope_;
};

// The number of calls that gRPC may begin before the server has handled the first of them. A
// smaller number works too, but gRPC must then find room for each call of a burst.
constexpr int kListening = 64;

constexpr char kService[] = "hellocnn.v1.ClassifierService";

}  // namespace

MethodIds::MethodIds(Events* events)
    : classify(events->AddMethod({.service = kService, .method = "Classify"})),
      classify_stream(events->AddMethod({.service = kService, .method = "ClassifyStream"})),
      get_model(
          events->AddMethod({.service = kService, .method = "GetModel", .takes_images = false})) {}

ClassifierService::ClassifierService(const ModelCard& card, const RequestLimits& limits,
                                     Events* events, Lifecycle* lifecycle,
                                     const ModelRegistry* registry, const Clock* clock)
    : admission_(lifecycle, registry, clock),
      serving_{Description(card, limits), Accounting(events, clock), MethodIds(events),
               &admission_} {}

void ClassifierService::Listen(CompletionEvents* events) {
  for (int i = 0; i < kListening; ++i) ClassifyCall::Listen(&serving_, this, events, &idle_);
  ClassifyStream::Listen(&serving_, this, events);
  GetModelCall::Listen(&serving_, this, events);
}

}  // namespace hellocnn::server
