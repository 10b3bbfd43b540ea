#include "server/rpc/classify_call.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

void ClassifyCall::Listen(const ServingContext* serving,
                          v1::ClassifierService::AsyncService* service, CompletionEvents* events) {
  auto* call = new ClassifyCall(serving, service, events);
  call->UnaryCall::Listen(service, &v1::ClassifierService::AsyncService::RequestClassify);
}

ClassifyCall::ClassifyCall(const ServingContext* serving,
                           v1::ClassifierService::AsyncService* service, CompletionEvents* events)
    : UnaryCall(events), serving_(serving), service_(service) {}

void ClassifyCall::OnCall() {
  Listen(serving_, service_, events());
  start_ = absl::Now();
  serving_->metrics->OnReceived(Method::kClassify, request().ByteSizeLong());
  absl::StatusOr<Batcher*> batcher = serving_->admission->Enter();
  entered_ = batcher.ok();
  const absl::Status status = batcher.ok() ? Submit(*batcher) : batcher.status();
  if (status.ok()) {
    serving_->metrics->OnAccepted(Method::kClassify, request().images_size());
  } else {
    if (const auto refusal = RefusalOf(status)) serving_->metrics->OnRefused(*refusal);
    Answer(status);
  }
}

absl::Status ClassifyCall::Submit(Batcher* batcher) {
  absl::StatusOr<std::vector<ImageView>> images =
      DecodeImages(request().images(), serving_->description.limits().max_images_per_request());
  if (!images.ok()) return images.status();
  job_->images = *std::move(images);
  job_->deadline = DeadlineOf(context());
  job_->done = [this](const absl::Status& status, std::span<const Prediction> predictions,
                      const JobTiming& timing) { OnJobDone(status, predictions, timing); };
  return batcher->Submit(job_);
}

void ClassifyCall::OnJobDone(const absl::Status& status, std::span<const Prediction> predictions,
                             const JobTiming& timing) {
  if (status.ok()) {
    EncodeClassification(predictions, serving_->description.model(), timing, response());
    answer_ = AnswerStatistics(predictions);
    sent_bytes_ = response()->ByteSizeLong();
  }
  Answer(JobOutcome(status, DeadlineOf(context()), absl::Now()));
}

void ClassifyCall::Answer(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  if (absl::IsResourceExhausted(protocol)) {
    context().AddTrailingMetadata(kPushbackKey, kPushbackMilliseconds);
  }
  code_ = protocol.code();
  duration_ = absl::Now() - start_;
  Finish(ToGrpc(protocol));
}

void ClassifyCall::OnCancel() {
  cancelled_at_ = absl::Now();
  job_->cancelled = true;
}

void ClassifyCall::OnDone() {
  if (cancelled_at_ != absl::InfiniteFuture()) {
    code_ = CodeOfGoneCaller(start_, DeadlineOf(context()), cancelled_at_);
    sent_bytes_ = 0;
    if (answer_.images > 0) serving_->metrics->OnAbandoned(answer_.images);
  } else if (answer_.images > 0) {
    serving_->metrics->OnAnswered(answer_);
  }
  serving_->metrics->OnEnd(Method::kClassify, code_, duration_, sent_bytes_);
  if (entered_) serving_->admission->Leave();
}

}  // namespace hellocnn::server
