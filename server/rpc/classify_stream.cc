#include "server/rpc/classify_stream.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <variant>

#include "base/mutex.h"
#include "server/rpc/bytes.h"
#include "server/rpc/response.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

// The number of exchanges that a stream keeps while nothing is in flight. Each takes some 3 kB.
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
  start_ = serving_->accounting.clock->Now();
  deadline_ = DeadlineOf(context(), *serving_->accounting.clock);
  StreamSession::Steps first;
  {
    // Drain may be called as soon as the stream is admitted.
    MutexLock lock(&mutex_);
    first.read = session_.Open();
  }
  Admission::Result admitted = serving_->admission->Enter(shared_from_this());
  if (auto* const ticket = std::get_if<Admission::Ticket>(&admitted)) {
    ticket_ = std::move(*ticket);
    return Take(first);
  }
  const Rejection& rejection = std::get<Rejection>(admitted);
  // A stream that is not admitted counts as one request, its first.
  CallScope scope;
  scope.Begin(&serving_->accounting, serving_->methods.classify_stream, deadline_, 0);
  scope.OnRejected(rejection.reason);
  scope.OnReady(rejection.status.code());
  scope.End(0);
  {
    MutexLock lock(&mutex_);
    session_.Reject();
  }
  Finish(ToGrpc(rejection.status));
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
  exchange.scope.Begin(&serving_->accounting, serving_->methods.classify_stream, deadline_,
                       exchange.bytes.Length());
  StreamSession::Message message;
  std::optional<Rejection> end;
  {
    MutexLock lock(&mutex_);
    message = session_.OnRead();
    if (!message.accepted && !session_.gone()) end = session_.end();
    NoteSurplus(message.steps);
  }
  if (message.accepted) {
    // The next request arrives while this one is handled.
    Take(message.steps);
    Handle(exchange);
  } else if (end.has_value()) {
    // The stream had been finished when the message arrived. The end of the stream is the response
    // to it.
    exchange.scope.OnRejected(end->reason);
    exchange.scope.OnReady(end->status.code());
    exchange.scope.End(0);
  } else {
    exchange.scope.EndGone(NoteGone());
  }
}

void ClassifyStream::OnWriteDone(bool ok) {
  Exchange& written = *writing_;
  if (ok) {
    written.scope.End(written.bytes.Length());
  } else {
    written.scope.EndGone(NoteGone());
  }
  written.bytes.Clear();
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

void ClassifyStream::OnDone() { ticket_ = {}; }

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
    const Rejection rejection = Rejection::Invalid(request.status());
    exchange.scope.OnRejected(rejection.reason);
    exchange.scope.OnReady(rejection.status.code());
    exchange.scope.End(0);
    StreamSession::Steps steps;
    {
      MutexLock lock(&mutex_);
      steps = session_.OnMalformed(exchange.slot, rejection);
    }
    return Take(steps);
  }
  exchange.id = request->id;
  Submit(*request, exchange);
}

void ClassifyStream::Submit(const Request& request, Exchange& exchange) {
  if (!request.timeout.ok()) {
    return Reject(exchange, Rejection::Invalid(request.timeout.status()));
  }
  if (!request.images.ok()) return Reject(exchange, Rejection::Invalid(request.images.status()));
  const std::span<ImageView> images = *request.images;
  exchange.Prepare(
      images, LogProbabilitiesFor(images, serving_->description.model(), exchange.answer.arena()),
      std::min(deadline_, exchange.scope.start() + *request.timeout));
  StreamSession::MayCompute may_compute;
  {
    // This must come after Prepare, which would undo a Cancel. The session may request one from now
    // on.
    MutexLock lock(&mutex_);
    may_compute = session_.StartComputing(exchange.slot);
  }
  switch (may_compute) {
    case StreamSession::MayCompute::kDraining:
      return Reject(exchange, Rejection::Draining());
    case StreamSession::MayCompute::kGone:
      return Respond(exchange, absl::CancelledError("the stream was cancelled"));
    case StreamSession::MayCompute::kYes:
      break;
  }
  Hold();  // until it is computed
  absl::Status status = ticket_.servable().Submit(&exchange);
  if (status.ok()) return;
  Release();
  Reject(exchange, Rejection::OfSubmit(std::move(status)));
}

void ClassifyStream::Reject(Exchange& exchange, const Rejection& rejection) {
  exchange.scope.OnRejected(rejection.reason);
  Respond(exchange, rejection.status);
}

void ClassifyStream::OnComputed(Exchange& exchange) {
  if (exchange.status().ok()) {
    EncodeClassification(exchange.log_probabilities(), serving_->description.model(),
                         exchange.timing(), exchange.answer.response()->mutable_result());
    exchange.scope.OnComputed(static_cast<int>(exchange.images().size()));
    if (exchange.scope.wants_confidences()) {
      ListConfidences(exchange.log_probabilities(), ticket_.servable().classes(),
                      exchange.scope.confidences());
    }
  }
  Respond(exchange,
          JobOutcome(exchange.status(), exchange.deadline(), serving_->accounting.clock->Now()));
  Release();
}

void ClassifyStream::Respond(Exchange& exchange, const absl::Status& status) {
  v1::ClassifyStreamResponse* const response = exchange.answer.response();
  response->set_id(exchange.id);
  if (!status.ok()) EncodeError(status, response->mutable_error());
  exchange.bytes = Serialize(*response);
  exchange.answer.Clear();
  exchange.scope.OnReady(ToProtocol(status).code());
  StreamSession::Steps steps;
  {
    MutexLock lock(&mutex_);
    steps = session_.OnReady(exchange.slot);
  }
  Take(steps);
}

void ClassifyStream::Take(const StreamSession::Steps& steps) {
  steps.cancel.ForEach([this](int slot) { ExchangeOf(slot).Cancel(); });
  if (!steps.discard.empty()) {
    const absl::StatusCode code = NoteGone();
    steps.discard.ForEach([&](int slot) { ExchangeOf(slot).scope.EndGone(code); });
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
  // If the client is gone, its responses are still being counted after their slots have become
  // free.
  if (surplus_.empty() || !session_.idle() || session_.gone()) return;
  for (int slot = kIdleExchanges; slot < StreamSession::kMaxInFlight; ++slot) {
    if (!surplus_.contains(slot) || session_.used().contains(slot)) continue;
    exchanges_[static_cast<std::size_t>(slot)] = nullptr;
    surplus_.erase(slot);
  }
}

absl::StatusCode ClassifyStream::NoteGone() {
  const Instant now = serving_->accounting.clock->Now();
  MutexLock lock(&mutex_);
  if (!gone_code_.has_value()) gone_code_ = CodeOfGoneCaller(start_, deadline_, now);
  return *gone_code_;
}

}  // namespace hellocnn::server
