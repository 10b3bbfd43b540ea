#include "server/rpc/classifier_service.h"

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/async_call.h"
#include "server/rpc/bytes.h"
#include "server/rpc/classify_stream.h"
#include "server/rpc/response.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

v1::GetModelResponse Description(const ModelCard& card, const v1::Limits& limits) {
  v1::GetModelResponse description;
  *description.mutable_model() = DescribeModel(card);
  *description.mutable_limits() = limits;
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
    const Instant start = serving_->clock->Now();
    serving_->events->OnReceived(serving_->ids.get_model, request()->Length());
    // A draining server still has its model: only a loading one does not know it yet.
    absl::Status status = serving_->admission->loading() ? LoadingError() : absl::OkStatus();
    v1::GetModelRequest nothing;
    if (status.ok()) status = Parse(request(), &nothing);
    if (status.ok()) {
      const grpc::ByteBuffer answer = Serialize(serving_->description);
      CountEnd(status, start, answer.Length());
      Finish(answer);
    } else {
      serving_->events->OnRejected(serving_->ids.get_model, serving_->ids.Of(*RefusalOf(status)));
      CountEnd(status, start, 0);
      FinishWithError(ToGrpc(status));
    }
  }

  void CountEnd(const absl::Status& status, Instant start, std::size_t bytes) const {
    serving_->events->OnEnd({.method = serving_->ids.get_model,
                             .code = status.code(),
                             .duration = serving_->clock->Now() - start,
                             .sent_bytes = bytes});
  }

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
};

// Calls that gRPC may begin before the one before has been seen. With fewer it works as well, but
// looks for room for each call that comes in a burst.
constexpr int kListening = 64;

constexpr char kService[] = "hellocnn.v1.ClassifierService";

}  // namespace

EventIds::EventIds(Events* events, ModelId served)
    : classify(events->AddMethod({.service = kService, .method = "Classify"})),
      classify_stream(events->AddMethod({.service = kService, .method = "ClassifyStream"})),
      get_model(
          events->AddMethod({.service = kService, .method = "GetModel", .takes_images = false})),
      model(served),
      reasons{events->AddReason(ReasonOf::kRejection, "queue_full"),
              events->AddReason(ReasonOf::kRejection, "draining"),
              events->AddReason(ReasonOf::kRejection, "loading"),
              events->AddReason(ReasonOf::kRejection, "invalid"),
              events->AddReason(ReasonOf::kRejection, "deadline")} {}

ClassifierService::ClassifierService(const ModelCard& card, const v1::Limits& limits,
                                     Events* events, ModelId model, Lifecycle* lifecycle,
                                     const Clock* clock)
    : admission_(lifecycle, clock),
      serving_{Description(card, limits), events, EventIds(events, model), &admission_, clock} {}

void ClassifierService::Listen(CompletionEvents* events) {
  for (int i = 0; i < kListening; ++i) ClassifyCall::Listen(&serving_, this, events, &idle_);
  ClassifyStream::Listen(&serving_, this, events);
  GetModelCall::Listen(&serving_, this, events);
}

}  // namespace hellocnn::server
