#include "server/rpc/classify_stream.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "server/rpc/bytes.h"
#include "server/rpc/response.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

// Exchanges that a stream keeps while nothing is in flight: some 3 kB each.
constexpr std::ptrdiff_t kIdleExchanges = 8;

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
  grpc::ByteBuffer* first;
  {
    MutexLock lock(&mutex_);
    ++in_flight_;  // until it reads: Drain may be called as soon as it is let in, and would end it
    first = NextRequest();
  }
  absl::StatusOr<Batcher*> batcher = serving_->admission->Enter(shared_from_this());
  if (batcher.ok()) {
    batcher_ = *batcher;
    StartRead(first);
    Step step;
    {
      MutexLock lock(&mutex_);
      --in_flight_;
      step = NextStep();
    }
    Run(std::move(step));
  } else {
    // A stream that is not let in counts as the one request that it would have begun with.
    serving_->events->OnReceived(serving_->ids.classify_stream, 0);
    serving_->events->OnRejected(serving_->ids.classify_stream,
                                 serving_->ids.Of(*RefusalOf(batcher.status())));
    serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                             .code = batcher.status().code(),
                             .duration = serving_->clock->Now() - start_});
    {
      MutexLock lock(&mutex_);
      finished_ = true;
    }
    Finish(ToGrpc(batcher.status()));
  }
}

grpc::ByteBuffer* ClassifyStream::NextRequest() {
  if (idle_.empty()) {
    idle_.emplace_back(this);
    idle_.back().position = std::prev(idle_.end());
  }
  // The last that was used: it is still in the cache.
  reading_.splice(reading_.end(), idle_, std::prev(idle_.end()));
  return &reading_.back().bytes;
}

void ClassifyStream::OnReadDone(bool ok) {
  if (!ok) {
    Step step;
    {
      MutexLock lock(&mutex_);
      reading_ended_ = true;
      step = NextStep();
    }
    Run(std::move(step));
    return;
  }
  Exchange* exchange;
  {
    MutexLock lock(&mutex_);
    exchange = &reading_.front();
  }
  exchange->start = serving_->clock->Now();
  serving_->events->OnReceived(serving_->ids.classify_stream, exchange->bytes.Length());
  grpc::ByteBuffer* next = nullptr;
  std::optional<absl::Status> ended;
  {
    MutexLock lock(&mutex_);
    handled_.splice(handled_.end(), reading_);
    if (finished_) {
      ended = error_.ok() ? DrainingError() : error_;
      if (broken_) ended = absl::Status(gone_code_, "");
    } else {
      ++in_flight_;
    }
    paused_ = finished_ || in_flight_ >= kMaxInFlightPerStream || !WantsToRead();
    if (!paused_) next = NextRequest();
  }
  if (ended.has_value()) {  // while this was on its way: the end of the call was its answer
    if (const auto refusal = RefusalOf(*ended))
      serving_->events->OnRejected(serving_->ids.classify_stream, serving_->ids.Of(*refusal));
    serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                             .code = ended->code(),
                             .duration = absl::ZeroDuration()});
    return;
  }
  // Before this request is handled: as long as it is in flight, the stream cannot finish.
  if (next != nullptr) StartRead(next);
  Handle(*exchange);
}

void ClassifyStream::OnWriteDone(bool ok) {
  grpc::ByteBuffer* next = nullptr;
  Exchange* written;
  Exchanges given_up;
  absl::StatusCode gone_code;
  {
    MutexLock lock(&mutex_);
    if (!ok && !broken_) given_up = Break();
    if (paused_ && WantsToRead()) {
      paused_ = false;
      next = NextRequest();
    }
    written = &writing_.front();
    gone_code = gone_code_;
  }
  // Before this answer is counted out: see OnReadDone.
  if (next != nullptr) StartRead(next);
  for (const Exchange& exchange : given_up) CountGivenUp(exchange, gone_code);
  if (ok) {
    CountSent(*written);
  } else {
    CountGivenUp(*written, gone_code);
  }
  written->Clear();
  Exchanges surplus;
  Step step;
  {
    MutexLock lock(&mutex_);
    idle_.splice(idle_.end(), writing_);
    --in_flight_;
    if (in_flight_ == 0 && std::ssize(idle_) > kIdleExchanges) {
      surplus.splice(surplus.end(), idle_, idle_.begin(), std::prev(idle_.end(), kIdleExchanges));
    }
    step = NextStep();
  }
  Run(std::move(step));
}

void ClassifyStream::OnCancel() {
  Step step;
  Exchanges given_up;
  absl::StatusCode gone_code;
  {
    MutexLock lock(&mutex_);
    if (!broken_) given_up = Break();
    step = NextStep();
    gone_code = gone_code_;
  }
  for (const Exchange& exchange : given_up) CountGivenUp(exchange, gone_code);
  Run(std::move(step));
}

void ClassifyStream::OnDone() {
  if (batcher_ != nullptr) serving_->admission->Leave(this);
}

void ClassifyStream::Drain() {
  Step step;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    step = NextStep();
  }
  Run(std::move(step));
}

void ClassifyStream::Handle(Exchange& exchange) {
  absl::StatusOr<Request> request = ReadRequest<v1::ClassifyStreamRequest>(
      &exchange.bytes, serving_->description.limits().max_images_per_request(),
      exchange.answer.arena());
  if (!request.ok()) return EndWith(request.status(), exchange);
  exchange.id = request->id;
  const absl::Status status = Submit(*request, exchange);
  if (status.ok()) return;
  if (const auto refusal = RefusalOf(status))
    serving_->events->OnRejected(serving_->ids.classify_stream, serving_->ids.Of(*refusal));
  Settle(exchange, status, /*computed=*/false);
}

void ClassifyStream::EndWith(const absl::Status& error, Exchange& exchange) {
  serving_->events->OnRejected(serving_->ids.classify_stream, serving_->ids.Of(*RefusalOf(error)));
  serving_->events->OnEnd({.method = serving_->ids.classify_stream,
                           .code = error.code(),
                           .duration = serving_->clock->Now() - exchange.start});
  Step step;
  Exchanges done;
  {
    MutexLock lock(&mutex_);
    done.splice(done.end(), handled_, exchange.position);
    --in_flight_;
    reading_ended_ = true;
    if (error_.ok()) error_ = error;
    step = NextStep();
  }
  Run(std::move(step));
}

absl::Status ClassifyStream::Submit(const Request& request, Exchange& exchange) {
  if (!request.timeout.ok()) return request.timeout.status();
  if (!request.images.ok()) return request.images.status();
  const std::span<ImageView> images = *request.images;
  exchange.Prepare(images, PredictionsFor(images, exchange.answer.arena()),
                   std::min(deadline_, exchange.start + *request.timeout));
  {
    // After Prepare, which undoes what Break may have cancelled.
    MutexLock lock(&mutex_);
    if (draining_) return DrainingError();
    if (broken_) return absl::CancelledError("the stream was cancelled");
    ++computing_;
  }
  Hold();  // until it is computed
  absl::Status status = batcher_->Submit(&exchange);
  if (!status.ok()) {
    {
      MutexLock lock(&mutex_);
      --computing_;
    }
    Release();
  }
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
  Settle(exchange, JobOutcome(exchange.status(), exchange.deadline(), serving_->clock->Now()),
         /*computed=*/true);
  Release();
}

void ClassifyStream::Settle(Exchange& exchange, const absl::Status& status, bool computed) {
  v1::ClassifyStreamResponse* const response = exchange.answer.response();
  response->set_id(exchange.id);
  if (!status.ok()) EncodeError(status, response->mutable_error());
  exchange.bytes = Serialize(*response);
  exchange.answer.Clear();
  exchange.code = ToProtocol(status).code();
  exchange.duration = serving_->clock->Now() - exchange.start;
  Exchanges given_up;
  absl::StatusCode gone_code;
  Step step;
  {
    MutexLock lock(&mutex_);
    if (computed) --computing_;
    if (broken_) {
      --in_flight_;
      given_up.splice(given_up.end(), handled_, exchange.position);
    } else {
      answered_.splice(answered_.end(), handled_, exchange.position);
    }
    gone_code = gone_code_;
    step = NextStep();
  }
  for (const Exchange& last : given_up) CountGivenUp(last, gone_code);
  Run(std::move(step));
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

bool ClassifyStream::WantsToRead() const {
  // A draining stream reads only for as long as it has to stay: a busy client could keep it
  // forever.
  return !broken_ && !reading_ended_ && !(draining_ && computing_ == 0);
}

ClassifyStream::Exchanges ClassifyStream::Break() {
  broken_ = true;
  gone_code_ = CodeOfGoneCaller(start_, deadline_, serving_->clock->Now());
  for (Exchange& exchange : handled_) exchange.Cancel();
  in_flight_ -= static_cast<int>(answered_.size());
  return std::exchange(answered_, {});
}

ClassifyStream::Step ClassifyStream::NextStep() {
  Step step;
  if (writing_.empty() && !answered_.empty()) {
    writing_.splice(writing_.end(), answered_, answered_.begin());
    step.write = &writing_.front();
  } else if (in_flight_ == 0 && !finished_ && (reading_ended_ || draining_ || broken_)) {
    finished_ = true;
    if (broken_) {
      step.finish = grpc::Status::CANCELLED;
    } else if (reading_ended_) {
      step.finish = ToGrpc(error_);
    } else {
      step.finish = ToGrpc(DrainingError());
    }
  }
  return step;
}

void ClassifyStream::Run(Step step) {
  if (step.write != nullptr) {
    StartWrite(step.write->bytes);
  } else if (step.finish.has_value()) {
    Finish(*step.finish);
  }
}

}  // namespace hellocnn::server
