#include "server/rpc/classify_call.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

grpc::ServerUnaryReactor* ClassifyCall::Start(const ServingContext* serving,
                                              grpc::CallbackServerContext* context,
                                              const v1::ClassifyRequest* request,
                                              v1::ClassifyResponse* response) {
  const absl::Time start = absl::Now();
  absl::StatusOr<Batcher*> batcher = serving->admission->Enter();
  if (!batcher.ok()) {
    serving->metrics->OnRequest("Classify", batcher.status().code(), absl::Now() - start);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(batcher.status()));
    return reactor;
  }
  // Until this function has returned, gRPC cannot call OnDone: the call stays valid here whatever a
  // worker does.
  auto* call = new ClassifyCall(serving, context, response, start);
  absl::Status status = call->Submit(*request, *batcher);
  if (!status.ok()) call->Answer(status);
  return call;
}

ClassifyCall::ClassifyCall(const ServingContext* serving, grpc::CallbackServerContext* context,
                           v1::ClassifyResponse* response, absl::Time start)
    : serving_(serving), context_(context), response_(response), start_(start) {}

absl::Status ClassifyCall::Submit(const v1::ClassifyRequest& request, Batcher* batcher) {
  absl::StatusOr<std::vector<ImageView>> images =
      DecodeImages(request.images(), serving_->description.limits().max_images_per_request());
  if (!images.ok()) return images.status();
  job_ = std::make_shared<Job>();
  job_->images = *std::move(images);
  job_->deadline = DeadlineOf(*context_);
  job_->done = [this](const absl::Status& status, std::span<const Prediction> predictions,
                      const JobTiming& timing) { OnJobDone(status, predictions, timing); };
  return batcher->Submit(job_);
}

void ClassifyCall::OnJobDone(const absl::Status& status, std::span<const Prediction> predictions,
                             const JobTiming& timing) {
  if (status.ok()) {
    EncodeClassification(predictions, serving_->description.model(), timing, response_);
    serving_->metrics->OnClassified(static_cast<int>(predictions.size()), timing);
  }
  Answer(JobOutcome(status, DeadlineOf(*context_), absl::Now()));
}

void ClassifyCall::Answer(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  if (absl::IsResourceExhausted(protocol)) {
    context_->AddTrailingMetadata(kPushbackKey, kPushbackMilliseconds);
  }
  serving_->metrics->OnRequest("Classify", protocol.code(), absl::Now() - start_);
  Finish(ToGrpc(protocol));
}

// gRPC calls OnDone only after this has returned.
void ClassifyCall::OnCancel() {
  if (job_ != nullptr) job_->cancelled = true;
}

void ClassifyCall::OnDone() {
  serving_->admission->Leave();
  delete this;
}

}  // namespace hellocnn::server
