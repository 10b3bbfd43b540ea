#include "server/rpc/classifier_service.h"

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "server/rpc/async_call.h"
#include "server/rpc/classify_stream.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

v1::GetModelResponse Description(const ModelCard& card, const v1::Limits& limits) {
  v1::GetModelResponse description;
  *description.mutable_model() = DescribeModel(card);
  *description.mutable_limits() = limits;
  return description;
}

class GetModelCall final : public UnaryCall<v1::GetModelRequest, v1::GetModelResponse> {
 public:
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events) {
    auto* call = new GetModelCall(serving, service, events);
    call->UnaryCall::Listen(service, &AsyncClassifier::RequestGetModel);
  }

 private:
  GetModelCall(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events)
      : UnaryCall(events), serving_(serving), service_(service) {}

  void OnRequest(std::size_t bytes, const absl::Status& parsed) override {
    Listen(serving_, service_, events());
    const absl::Time start = absl::Now();
    serving_->metrics->OnReceived(Method::kGetModel, bytes);
    // A draining server still has its model: only a loading one does not know it yet.
    const absl::Status status = serving_->admission->loading() ? LoadingError() : parsed;
    if (status.ok()) {
      *response() = serving_->description;
    } else {
      serving_->metrics->OnRefused(*RefusalOf(status));
    }
    serving_->metrics->OnEnd(Method::kGetModel, status.code(), absl::Now() - start,
                             status.ok() ? response()->ByteSizeLong() : 0);
    Finish(ToGrpc(status));
  }

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
};

// Calls that gRPC may begin before the one before has been seen. With fewer it works as well, but
// looks for room for each call that comes in a burst.
constexpr int kListening = 64;

}  // namespace

ClassifierService::ClassifierService(const ModelCard& card, const v1::Limits& limits,
                                     Metrics* metrics)
    : serving_{Description(card, limits), metrics, &admission_} {}

void ClassifierService::Listen(CompletionEvents* events) {
  for (int i = 0; i < kListening; ++i) ClassifyCall::Listen(&serving_, this, events, &idle_);
  ClassifyStream::Listen(&serving_, this, events);
  GetModelCall::Listen(&serving_, this, events);
}

}  // namespace hellocnn::server
