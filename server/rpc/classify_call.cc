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
  // Until this function has returned, gRPC cannot call OnDone: the call stays valid here whatever a
  // worker does.
  auto* call = new ClassifyCall(serving, context, response, absl::Now());
  serving->metrics->OnReceived(Method::kClassify, request->ByteSizeLong());
  absl::StatusOr<Batcher*> batcher = serving->admission->Enter();
  call->entered_ = batcher.ok();
  const absl::Status status = batcher.ok() ? call->Submit(*request, *batcher) : batcher.status();
  if (status.ok()) {
    serving->metrics->OnAccepted(Method::kClassify, request->images_size());
  } else {
    if (const auto refusal = RefusalOf(status)) serving->metrics->OnRefused(*refusal);
    call->Answer(status);
  }
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
    answer_ = AnswerStatistics(predictions);
    sent_bytes_ = response_->ByteSizeLong();
  }
  Answer(JobOutcome(status, DeadlineOf(*context_), absl::Now()));
}

void ClassifyCall::Answer(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  if (absl::IsResourceExhausted(protocol)) {
    context_->AddTrailingMetadata(kPushbackKey, kPushbackMilliseconds);
  }
  code_ = protocol.code();
  duration_ = absl::Now() - start_;
  Finish(ToGrpc(protocol));
}

// gRPC calls OnDone only after this has returned.
void ClassifyCall::OnCancel() {
  cancelled_at_ = absl::Now();
  if (job_ != nullptr) job_->cancelled = true;
}

void ClassifyCall::OnDone() {
  if (cancelled_at_ != absl::InfiniteFuture()) {
    code_ = CodeOfGoneCaller(start_, DeadlineOf(*context_), cancelled_at_);
    sent_bytes_ = 0;
    if (answer_.images > 0) serving_->metrics->OnAbandoned(answer_.images);
  } else if (answer_.images > 0) {
    serving_->metrics->OnAnswered(answer_);
  }
  serving_->metrics->OnEnd(Method::kClassify, code_, duration_, sent_bytes_);
  if (entered_) serving_->admission->Leave();
  delete this;
}

}  // namespace hellocnn::server
