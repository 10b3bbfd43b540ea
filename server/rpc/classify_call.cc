#include "server/rpc/classify_call.h"

#include <memory>
#include <span>
#include <utility>

#include "absl/time/clock.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

void ClassifyCall::Listen(const ServingContext* serving, AsyncClassifier* service,
                          CompletionEvents* events, IdleCalls<ClassifyCall>* idle) {
  std::unique_ptr<ClassifyCall> call = idle->Take();
  if (call == nullptr) call.reset(new ClassifyCall(serving, service, events, idle));
  call.release()->UnaryCall::Listen(service, &AsyncClassifier::RequestClassify);
}

ClassifyCall::ClassifyCall(const ServingContext* serving, AsyncClassifier* service,
                           CompletionEvents* events, IdleCalls<ClassifyCall>* idle)
    : UnaryCall(events), serving_(serving), service_(service), idle_(idle) {}

void ClassifyCall::OnRequest(std::size_t bytes, const absl::Status& parsed) {
  Listen(serving_, service_, events(), idle_);
  record_.start = absl::Now();
  serving_->metrics->OnReceived(Method::kClassify, bytes);
  const absl::StatusOr<Batcher*> batcher = serving_->admission->Enter();
  record_.entered = batcher.ok();
  absl::Status status = batcher.ok() ? parsed : batcher.status();
  if (status.ok()) status = Submit(*batcher);
  if (status.ok()) {
    serving_->metrics->OnAccepted(Method::kClassify, request().images_size());
  } else {
    if (const auto refusal = RefusalOf(status)) serving_->metrics->OnRefused(*refusal);
    Answer(status);
  }
}

absl::Status ClassifyCall::Submit(Batcher* batcher) {
  const int max_images = serving_->description.limits().max_images_per_request();
  const absl::StatusOr<std::span<ImageView>> images =
      DecodeImages(request().images(), max_images, arena());
  if (!images.ok()) return images.status();
  Prepare(*images, PredictionsFor(*images, arena()), DeadlineOf(context()));
  return batcher->Submit(this);
}

void ClassifyCall::Done() {
  if (status().ok()) {
    EncodeClassification(predictions(), serving_->description.model(), timing(), response());
    record_.answer = AnswerStatistics(predictions());
    record_.sent_bytes = response()->ByteSizeLong();
  }
  Answer(JobOutcome(status(), deadline(), absl::Now()));
}

void ClassifyCall::Answer(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  if (absl::IsResourceExhausted(protocol)) {
    context().AddTrailingMetadata(kPushbackKey, kPushbackMilliseconds);
  }
  record_.code = protocol.code();
  record_.duration = absl::Now() - record_.start;
  Finish(ToGrpc(protocol));
}

void ClassifyCall::OnCancel() {
  record_.cancelled_at = absl::Now();
  Cancel();
}

void ClassifyCall::OnDone() {
  Record& call = record_;
  if (call.cancelled_at != absl::InfiniteFuture()) {
    call.code = CodeOfGoneCaller(call.start, DeadlineOf(context()), call.cancelled_at);
    call.sent_bytes = 0;
    if (call.answer.images > 0) serving_->metrics->OnAbandoned(call.answer.images);
  } else if (call.answer.images > 0) {
    serving_->metrics->OnAnswered(call.answer);
  }
  serving_->metrics->OnEnd(Method::kClassify, call.code, call.duration, call.sent_bytes);
  if (call.entered) serving_->admission->Leave();
}

void ClassifyCall::Dispose() {
  Clear();
  record_ = {};
  idle_->Put(std::unique_ptr<ClassifyCall>(this));
}

}  // namespace hellocnn::server
