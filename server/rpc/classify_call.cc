#include "server/rpc/classify_call.h"

#include <memory>
#include <span>
#include <utility>

#include "base/clock.h"
#include "server/rpc/bytes.h"
#include "server/rpc/request.h"
#include "server/rpc/response.h"
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

void ClassifyCall::OnCall() {
  Listen(serving_, service_, events(), idle_);
  record_.start = serving_->clock->Now();
  serving_->events->OnReceived(serving_->ids.classify, request()->Length());
  const absl::StatusOr<Batcher*> batcher = serving_->admission->Enter();
  record_.entered = batcher.ok();
  const absl::Status status = batcher.ok() ? Submit(*batcher) : batcher.status();
  if (!status.ok()) {
    if (const auto refusal = RefusalOf(status)) {
      serving_->events->OnRejected(serving_->ids.classify, serving_->ids.Of(*refusal));
    }
    End(status);
  }
}

absl::Status ClassifyCall::Submit(Batcher* batcher) {
  const int max_images = serving_->description.limits().max_images_per_request();
  const absl::StatusOr<Request> read =
      ReadRequest<v1::ClassifyRequest>(request(), max_images, answer_.arena());
  if (!read.ok()) return read.status();
  if (!read->images.ok()) return read->images.status();
  const std::span<ImageView> images = *read->images;
  Prepare(images, PredictionsFor(images, answer_.arena()), DeadlineOf(context(), *serving_->clock));
  return batcher->Submit(this);
}

void ClassifyCall::Accepted() {
  serving_->events->OnAccepted(serving_->ids.classify, serving_->ids.model,
                               static_cast<int>(images().size()));
}

void ClassifyCall::Done() {
  if (status().ok()) {
    EncodeClassification(predictions(), serving_->description.model(), timing(),
                         answer_.response());
    record_.images = static_cast<int>(predictions().size());
    if (serving_->events->wants_statistics()) ListConfidences(predictions(), &confidences_);
  }
  End(JobOutcome(status(), deadline(), serving_->clock->Now()));
}

void ClassifyCall::End(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  record_.code = protocol.code();
  record_.duration = serving_->clock->Now() - record_.start;
  if (protocol.ok()) {
    const grpc::ByteBuffer answer = Serialize(*answer_.response());
    record_.sent_bytes = answer.Length();
    answer_.Clear();
    return Finish(answer);
  }
  answer_.Clear();
  if (absl::IsResourceExhausted(protocol)) {
    context().AddTrailingMetadata(kPushbackKey, kPushbackMilliseconds);
  }
  FinishWithError(ToGrpc(protocol));
}

void ClassifyCall::OnCancel() {
  record_.cancelled_at = serving_->clock->Now();
  Cancel();
}

void ClassifyCall::OnDone() {
  const Record& call = record_;
  RequestEnd end{.method = serving_->ids.classify,
                 .code = call.code,
                 .duration = call.duration,
                 .model = serving_->ids.model};
  if (call.cancelled_at != Instant::InfiniteFuture()) {
    end.code =
        CodeOfGoneCaller(call.start, DeadlineOf(context(), *serving_->clock), call.cancelled_at);
    end.discarded_images = call.images;
  } else {
    end.sent_bytes = call.sent_bytes;
    end.sent_images = call.images;
    end.confidences = confidences_;
  }
  serving_->events->OnEnd(end);
  if (call.entered) serving_->admission->Leave();
}

void ClassifyCall::Dispose() {
  Clear();
  record_ = {};
  confidences_.clear();
  idle_->Put(std::unique_ptr<ClassifyCall>(this));
}

}  // namespace hellocnn::server
