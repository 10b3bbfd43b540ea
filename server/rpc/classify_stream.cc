#include "server/rpc/classify_stream.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "server/rpc/bytes.h"
#include "server/rpc/response.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

// Exchanges that a stream keeps while nothing is in flight: some 3 kB each.
constexpr int kIdleExchanges = 8;

}  // namespace

void ClassifyStream::Listen(const ServingContext* serving, AsyncClassifier* service,
                            CompletionEvents* events) {
  std::shared_ptr<ClassifyStream> stream(new ClassifyStream(serving, service, events));
  ClassifyStream* const listening = stream.get();
  listening->self_ = std::move(stream);
  listening->BidiCall::Listen(service, &AsyncClassifier::RequestClassifyStream);
}

ClassifyStream::ClassifyStream(const ServingContext* serving, AsyncClassifier* service,
                               CompletionEvents* events)
    : BidiCall(events), serving_(serving), service_(service) {}

void ClassifyStream::OnCall() {
  Listen(serving_, service_, events());
  start_ = serving_->clock->Now();
  deadline_ = DeadlineOf(context(), *serving_->clock);
  StreamSession::Steps first;
  {
    // Drain may be called as soon as the stream is admitted.
    MutexLock lock(&mutex_);
    first.read = session_.Open();
  }
  absl::StatusOr<Batcher*> batcher = serving_->admission->Enter(shared_from_this());
  if (batcher.ok()) {
    batcher_ = *batcher;
    return Take(first);
  }
  // A stream that is not admitted counts as the one request that it would have begun with.
  serving_->events->OnReceived(serving_->ids.classify_stream, 0);
  serving_->events->OnRejected(serving_->ids.classify_stream,
                               serving_->ids.Of(*RefusalOf(batcher.status())));
  serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                           .code = batcher.status().code(),
                           .duration = serving_->clock->Now() - start_});
  {
    MutexLock lock(&mutex_);
    session_.Reject();
  }
  Finish(ToGrpc(batcher.status()));
}

void ClassifyStream::OnReadDone(bool ok) {
  if (!ok) {
    StreamSession::Steps steps;
    {
      MutexLock lock(&mutex_);
      steps = session_.OnReadEnded();
    }
    return Take(steps);
  }
  Exchange& exchange = *reading_;
  exchange.start = serving_->clock->Now();
  serving_->events->OnReceived(serving_->ids.classify_stream, exchange.bytes.Length());
  StreamSession::Message message;
  absl::Status end;
  {
    MutexLock lock(&mutex_);
    message = session_.OnRead();
    if (!message.accepted) {
      end = session_.gone() ? absl::Status(*gone_code_, "") : session_.EndStatus();
    }
    NoteSurplus(message.steps);
  }
  if (!message.accepted) return CountRejectedByEnd(end);
  // The next request arrives while this one is handled.
  Take(message.steps);
  Handle(exchange);
}

void ClassifyStream::OnWriteDone(bool ok) {
  Exchange& written = *writing_;
  if (ok) {
    CountSent(written);
  } else {
    CountGivenUp(written, NoteGone());
  }
  written.Clear();
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnWritten(ok);
    NoteSurplus(steps);
    DropSurplus();
  }
  Take(steps);
}

void ClassifyStream::OnCancel() {
  NoteGone();
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnCancelled();
  }
  Take(steps);
}

void ClassifyStream::OnDone() {
  if (batcher_ != nullptr) serving_->admission->Leave(this);
}

void ClassifyStream::Drain() {
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnDrain();
  }
  Take(steps);
}

void ClassifyStream::Handle(Exchange& exchange) {
  absl::StatusOr<Request> request = ReadRequest<v1::ClassifyStreamRequest>(
      &exchange.bytes, serving_->description.limits().max_images_per_request(),
      exchange.answer.arena());
  if (!request.ok()) {
    serving_->events->OnRejected(serving_->ids.classify_stream,
                                 serving_->ids.Of(*RefusalOf(request.status())));
    serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                             .code = request.status().code(),
                             .duration = serving_->clock->Now() - exchange.start});
    StreamSession::Steps steps;
    {
      MutexLock lock(&mutex_);
      steps = session_.OnMalformed(exchange.slot, request.status());
    }
    return Take(steps);
  }
  exchange.id = request->id;
  const absl::Status status = Submit(*request, exchange);
  if (status.ok()) return;
  if (const auto refusal = RefusalOf(status)) {
    serving_->events->OnRejected(serving_->ids.classify_stream, serving_->ids.Of(*refusal));
  }
  Respond(exchange, status);
}

absl::Status ClassifyStream::Submit(const Request& request, Exchange& exchange) {
  if (!request.timeout.ok()) return request.timeout.status();
  if (!request.images.ok()) return request.images.status();
  const std::span<ImageView> images = *request.images;
  exchange.Prepare(images, PredictionsFor(images, exchange.answer.arena()),
                   std::min(deadline_, exchange.start + *request.timeout));
  StreamSession::MayCompute may_compute;
  {
    // After Prepare, which undoes a Cancel that the session asks for from now on.
    MutexLock lock(&mutex_);
    may_compute = session_.StartComputing(exchange.slot);
  }
  switch (may_compute) {
    case StreamSession::MayCompute::kDraining:
      return DrainingError();
    case StreamSession::MayCompute::kGone:
      return absl::CancelledError("the stream was cancelled");
    case StreamSession::MayCompute::kYes:
      break;
  }
  Hold();  // until it is computed
  absl::Status status = batcher_->Submit(&exchange);
  if (!status.ok()) Release();
  return status;
}

void ClassifyStream::OnAccepted(const Exchange& exchange) const {
  serving_->events->OnAccepted(serving_->ids.classify_stream, serving_->ids.model,
                               static_cast<int>(exchange.images().size()));
}

void ClassifyStream::OnComputed(Exchange& exchange) {
  if (exchange.status().ok()) {
    EncodeClassification(exchange.predictions(), serving_->description.model(), exchange.timing(),
                         exchange.answer.response()->mutable_result());
    exchange.computed_images = static_cast<int>(exchange.predictions().size());
    if (serving_->events->wants_statistics()) {
      ListConfidences(exchange.predictions(), &exchange.confidences);
    }
  }
  Respond(exchange, JobOutcome(exchange.status(), exchange.deadline(), serving_->clock->Now()));
  Release();
}

void ClassifyStream::Respond(Exchange& exchange, const absl::Status& status) {
  v1::ClassifyStreamResponse* const response = exchange.answer.response();
  response->set_id(exchange.id);
  if (!status.ok()) EncodeError(status, response->mutable_error());
  exchange.bytes = Serialize(*response);
  exchange.answer.Clear();
  exchange.code = ToProtocol(status).code();
  exchange.duration = serving_->clock->Now() - exchange.start;
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnReady(exchange.slot);
  }
  Take(steps);
}

void ClassifyStream::CountRejectedByEnd(const absl::Status& end) const {
  if (const auto refusal = RefusalOf(end)) {
    serving_->events->OnRejected(serving_->ids.classify_stream, serving_->ids.Of(*refusal));
  }
  serving_->events->OnEnd({.method = serving_->ids.classify_stream, .code = end.code()});
}

void ClassifyStream::CountSent(const Exchange& exchange) const {
  serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                           .code = exchange.code,
                           .duration = exchange.duration,
                           .sent_bytes = exchange.bytes.Length(),
                           .model = serving_->ids.model,
                           .sent_images = exchange.computed_images,
                           .confidences = exchange.confidences});
}

void ClassifyStream::CountGivenUp(const Exchange& exchange, absl::StatusCode code) const {
  serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                           .code = code,
                           .duration = exchange.duration,
                           .model = serving_->ids.model,
                           .discarded_images = exchange.computed_images});
}

void ClassifyStream::Take(const StreamSession::Steps& steps) {
  steps.cancel.ForEach([this](int slot) { ExchangeOf(slot).Cancel(); });
  if (!steps.discard.empty()) {
    const absl::StatusCode code = NoteGone();
    steps.discard.ForEach([&](int slot) { CountGivenUp(ExchangeOf(slot), code); });
  }
  if (steps.read.has_value()) StartReading(*steps.read);
  if (steps.write.has_value()) {
    writing_ = &ExchangeOf(*steps.write);
    StartWrite(writing_->bytes);
  }
  if (steps.finish.has_value()) Finish(ToGrpc(*steps.finish));
}

void ClassifyStream::StartReading(int slot) {
  std::unique_ptr<Exchange>& exchange = exchanges_[static_cast<std::size_t>(slot)];
  if (exchange == nullptr) exchange = std::make_unique<Exchange>(this, slot);
  reading_ = exchange.get();
  StartRead(&reading_->bytes);
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnReadStarted();
  }
  Take(steps);
}

void ClassifyStream::NoteSurplus(const StreamSession::Steps& steps) {
  if (steps.read.has_value() && *steps.read >= kIdleExchanges) surplus_.insert(*steps.read);
}

void ClassifyStream::DropSurplus() {
  // Responses of a client that is gone are still being counted when their slots are free.
  if (surplus_.empty() || !session_.idle() || session_.gone()) return;
  for (int slot = kIdleExchanges; slot < StreamSession::kMaxInFlight; ++slot) {
    if (!surplus_.contains(slot) || session_.used().contains(slot)) continue;
    exchanges_[static_cast<std::size_t>(slot)] = nullptr;
    surplus_.erase(slot);
  }
}

absl::StatusCode ClassifyStream::NoteGone() {
  const Instant now = serving_->clock->Now();
  MutexLock lock(&mutex_);
  if (!gone_code_.has_value()) gone_code_ = CodeOfGoneCaller(start_, deadline_, now);
  return *gone_code_;
}

}  // namespace hellocnn::server
