#include "server/rpc/classify_call.h"

#include <memory>
#include <span>
#include <utility>
#include <variant>

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
  const Accounting& accounting = serving_->accounting;
  scope_.Begin(&accounting, serving_->methods.classify, DeadlineOf(context(), *accounting.clock),
               request()->Length());
  const std::optional<Rejection> rejection = Submit();
  if (!rejection.has_value()) return;
  scope_.OnRejected(rejection->reason);
  Respond(rejection->status);
}

std::optional<Rejection> ClassifyCall::Submit() {
  Admission::Result admitted = serving_->admission->Enter();
  if (auto* const rejection = std::get_if<Rejection>(&admitted)) return std::move(*rejection);
  scope_.Hold(std::get<Admission::Ticket>(std::move(admitted)));

  const int max_images = serving_->description.limits().max_images_per_request();
  const absl::StatusOr<Request> read =
      ReadRequest<v1::ClassifyRequest>(request(), max_images, answer_.arena());
  if (!read.ok()) return Rejection::Invalid(read.status());
  if (!read->images.ok()) return Rejection::Invalid(read->images.status());
  const std::span<ImageView> images = *read->images;
  Prepare(images, LogProbabilitiesFor(images, serving_->description.model(), answer_.arena()),
          scope_.deadline());
  absl::Status status = scope_.servable().Submit(this);
  if (!status.ok()) return Rejection::OfSubmit(std::move(status));
  return std::nullopt;
}

void ClassifyCall::Accepted() {
  scope_.OnAccepted(scope_.servable().id(), static_cast<int>(images().size()));
}

void ClassifyCall::Done() {
  if (status().ok()) {
    EncodeClassification(log_probabilities(), serving_->description.model(), timing(),
                         answer_.response());
    scope_.OnComputed(static_cast<int>(images().size()));
    if (scope_.wants_confidences()) {
      ListConfidences(log_probabilities(), scope_.servable().classes(), scope_.confidences());
    }
  }
  Respond(JobOutcome(status(), deadline(), serving_->accounting.clock->Now()));
}

void ClassifyCall::Respond(const absl::Status& status) {
  const absl::Status protocol = ToProtocol(status);
  scope_.OnReady(protocol.code());
  if (protocol.ok()) {
    const grpc::ByteBuffer answer = Serialize(*answer_.response());
    sent_bytes_ = answer.Length();
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
  cancelled_at_ = serving_->accounting.clock->Now();
  Cancel();
}

void ClassifyCall::OnDone() {
  if (cancelled_at_.has_value()) {
    scope_.EndGone(CodeOfGoneCaller(scope_.start(), scope_.deadline(), *cancelled_at_));
  } else {
    scope_.End(sent_bytes_);
  }
}

void ClassifyCall::Dispose() {
  Clear();
  sent_bytes_ = 0;
  cancelled_at_.reset();
  idle_->Put(std::unique_ptr<ClassifyCall>(this));
}

}  // namespace hellocnn::server
