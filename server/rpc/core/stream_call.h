// A call with many requests to classify images in flight. Each response is sent when it is ready.
#ifndef HELLOCNN_SERVER_RPC_CORE_STREAM_CALL_H_
#define HELLOCNN_SERVER_RPC_CORE_STREAM_CALL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/core/accept_request.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/core/guard.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/core/status.h"
#include "server/rpc/core/stream_session.h"
#include "server/rpc/transport/transport.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Carries out the steps that its StreamSession plans. Lives until the call has ended, every job has
// finished, and the admission has released it. After the end of the call, `rpc_` is not used.
template <StreamCodec C>
class StreamCall final : public StreamHandler,
                         public Drainable,
                         public std::enable_shared_from_this<StreamCall<C>> {
 public:
  // Serves the call of `rpc`. `context` outlives the object; `method` is what events know the
  // requests by.
  StreamCall(const CallContext* context, ServedMethod method, StreamRpc* rpc)
      : context_(context), method_(method), rpc_(rpc) {}

  // Drains the stream. Requests that are read from now on are rejected with UNAVAILABLE. The call
  // ends when the responses to earlier requests have been written.
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_) { Tell(&StreamSession::OnDrain); }

 private:
  using Steps = StreamSession::Steps;

  // A request, its account, the job to compute it and its response. Later requests in the same slot
  // of the session use it again.
  //
  // The owner of the slot also owns the exchange. The first owners are the thread that starts the
  // read, the transport, and the thread that handles the request. The next are the queue and the
  // worker that has computed it. The last are the transport again, and the thread that has written
  // or discards the response. The session passes slots on under the lock.
  class Exchange final : public Job {
   public:
    Exchange(StreamCall* stream, int number)
        : slot(number), message(stream->rpc_->MakeMessage()), stream_(stream) {}

    void Accepted() override { scope.OnAccepted(static_cast<int>(images().size())); }
    void OnFinished() override { stream_->OnComputed(*this); }

    const int slot;
    const std::unique_ptr<Message> message;  // the request, and later the finished response
    C codec;
    CallScope scope;

   private:
    StreamCall* const stream_;
  };

  void OnCall() override ABSL_LOCKS_EXCLUDED(mutex_) {
    start_ = context_->Now();
    deadline_ = rpc_->deadline();
    caller_ = CallerOf(*rpc_);
    Steps first;
    {
      // Drain may be called as soon as the stream is admitted.
      MutexLock lock(&mutex_);
      first.read = session_.Open();
    }
    Admission::Result admitted = context_->admission->Enter(this->shared_from_this());
    if (auto* const ticket = std::get_if<Admission::Ticket>(&admitted)) {
      ticket_ = std::move(*ticket);
      return Take(first);
    }
    const Rejection& rejection = std::get<Rejection>(admitted);
    // A stream that is not admitted counts as one request, its first.
    CallScope scope;
    scope.Begin(&context_->accounting, method_, deadline_, 0);
    EndRejected(scope, rejection);
    {
      MutexLock lock(&mutex_);
      session_.Reject();
    }
    rpc_->Finish(ToProtocol(rejection.status));
  }

  void OnRead(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    if (!ok) return Tell(&StreamSession::OnReadEnded);
    Exchange& exchange = *reading_;
    exchange.scope.Begin(&context_->accounting, method_, deadline_, exchange.message->size());
    StreamSession::Message read;
    std::optional<Rejection> end;
    {
      MutexLock lock(&mutex_);
      read = session_.OnRead();
      if (!read.accepted && !session_.gone()) end = session_.end();
      NoteSurplus(read.steps);
    }
    if (read.accepted) {
      // The next request arrives while this one is handled.
      Take(read.steps);
      Handle(exchange);
    } else if (end.has_value()) {
      // The stream had been finished when the message arrived. The end of the stream is the
      // response to it.
      EndRejected(exchange.scope, *end);
    } else {
      exchange.scope.EndGone(NoteGone());
    }
  }

  void OnWritten(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    Exchange& written = *writing_;
    if (ok) {
      written.scope.End(written.message->size());
    } else {
      written.scope.EndGone(NoteGone());
    }
    written.message->Clear();
    Steps steps;
    {
      MutexLock lock(&mutex_);
      steps = session_.OnWritten(ok);
      NoteSurplus(steps);
      DropSurplus();
    }
    Take(steps);
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    NoteGone();
    Tell(&StreamSession::OnCancelled);
  }

  void OnEnd() override { ticket_ = {}; }

  // Submits or rejects a request that was read. Ends the stream if the bytes are not a valid
  // message.
  void Handle(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto request = exchange.codec.Read(exchange.message.get(), context_->max_images);
    if (request.ok()) return Submit(*request, exchange);
    const Rejection rejection = Rejection::Invalid(request.status());
    EndRejected(exchange.scope, rejection);
    Tell(&StreamSession::OnMalformed, exchange.slot, rejection);
  }

  // Queues the job of the request or rejects the request. If the client is gone, only accounts for
  // the request. The caller no longer owns the exchange when the function returns.
  void Submit(const Request& request, Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::optional<Rejection> rejection =
        AcceptRequest(*rpc_, *context_, request, &exchange.codec, &exchange.scope);
    if (rejection.has_value()) return Reject(exchange, *rejection);
    const std::span<const ImageView> images = *request.images;
    exchange.Prepare(
        images,
        LogProbabilitiesFor(images, exchange.scope.servable().classes(), exchange.codec.arena()),
        std::min(deadline_, exchange.scope.start() + *request.timeout),
        {.caller = caller_, .priority = request.priority});
    StreamSession::MayCompute may_compute;
    {
      // This must come after Prepare, which would undo a Cancel. The session may request one from
      // now on.
      MutexLock lock(&mutex_);
      may_compute = session_.StartComputing(exchange.slot);
    }
    switch (may_compute) {
      case StreamSession::MayCompute::kDraining:
        GiveBackBudget(*rpc_, static_cast<int>(images.size()));
        return Reject(exchange, Rejection::Draining());
      case StreamSession::MayCompute::kGone:
        GiveBackBudget(*rpc_, static_cast<int>(images.size()));
        return Respond(exchange, absl::CancelledError("the stream was cancelled"));
      case StreamSession::MayCompute::kYes:
        break;
    }
    rpc_->Hold();  // until it is computed
    absl::Status status = exchange.scope.servable().Submit(&exchange);
    if (status.ok()) return;
    GiveBackBudget(*rpc_, static_cast<int>(images.size()));
    rpc_->Release();
    Reject(exchange, Rejection::OfSubmit(std::move(status)));
  }

  void Reject(Exchange& exchange, const Rejection& rejection) ABSL_LOCKS_EXCLUDED(mutex_) {
    exchange.scope.OnRejected(rejection.reason);
    Respond(exchange, rejection.status);
  }

  // Accounts for a request to which the end of the stream is the response.
  void EndRejected(CallScope& scope, const Rejection& rejection) {
    scope.OnRejected(rejection.reason);
    scope.OnReady(rejection.status, *rpc_);
    scope.End(0);
  }

  // Implements OnFinished for the job of the exchange.
  void OnComputed(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (exchange.status().ok()) {
      exchange.codec.Encode(
          {exchange.log_probabilities(), exchange.scope.servable().card(), exchange.timing()});
      exchange.scope.OnComputed(
          {exchange.images(), exchange.log_probabilities(), exchange.timing()});
    }
    Respond(exchange, JobOutcome(exchange.status(), exchange.deadline(), context_->Now()));
    rpc_->Release();
  }

  // Makes the response to a request. Frees the memory of the request, because the client may take
  // long to read the response.
  void Respond(Exchange& exchange, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Status protocol = ToProtocol(status);
    if (!protocol.ok()) exchange.codec.EncodeError(protocol);
    exchange.codec.Write(exchange.message.get());
    exchange.scope.OnReady(protocol, *rpc_);
    Tell(&StreamSession::OnReady, exchange.slot);
  }

  // Tells the session of an event and takes the steps that follow from it. The stream may have
  // ended when the function returns.
  template <typename... Args>
  void Tell(Steps (StreamSession::*event)(Args...), std::type_identity_t<Args>... args)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    Steps steps;
    {
      MutexLock lock(&mutex_);
      steps = (session_.*event)(args...);
    }
    Take(steps);
  }

  // Takes the steps that the session returned. The stream may have ended when the function returns.
  void Take(const Steps& steps) ABSL_LOCKS_EXCLUDED(mutex_) {
    steps.cancel.ForEach([this](int slot) { ExchangeOf(slot).Cancel(); });
    if (!steps.discard.empty()) {
      const absl::StatusCode code = NoteGone();
      steps.discard.ForEach([&](int slot) { ExchangeOf(slot).scope.EndGone(code); });
    }
    if (steps.read.has_value()) StartReading(*steps.read);
    if (steps.write.has_value()) {
      writing_ = &ExchangeOf(*steps.write);
      rpc_->Write(writing_->message.get());
    }
    if (steps.finish.has_value()) rpc_->Finish(ToProtocol(*steps.finish));
  }

  void StartReading(int slot) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::unique_ptr<Exchange>& exchange = exchanges_[static_cast<std::size_t>(slot)];
    if (exchange == nullptr) exchange = std::make_unique<Exchange>(this, slot);
    reading_ = exchange.get();
    rpc_->Read(reading_->message.get());
    Tell(&StreamSession::OnReadStarted);
  }

  // Remembers whether an idle stream need not keep the exchange of the read that was planned.
  void NoteSurplus(const Steps& steps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (steps.read.has_value() && *steps.read >= kIdleExchanges) surplus_.insert(*steps.read);
  }
  // Deletes the exchanges that an idle stream need not keep.
  void DropSurplus() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    // If the client is gone, its responses are still being counted after their slots have become
    // free.
    if (surplus_.empty() || !session_.idle() || session_.gone()) return;
    for (int slot = kIdleExchanges; slot < StreamSession::kMaxInFlight; ++slot) {
      if (!surplus_.contains(slot) || session_.used().contains(slot)) continue;
      exchanges_[static_cast<std::size_t>(slot)] = nullptr;
      surplus_.erase(slot);
    }
  }

  // Records that the client is gone. Returns gone_code_, which the first call sets.
  absl::StatusCode NoteGone() ABSL_LOCKS_EXCLUDED(mutex_) {
    const Instant now = context_->Now();
    MutexLock lock(&mutex_);
    if (!gone_code_.has_value()) gone_code_ = CodeOfGoneCaller(start_, deadline_, now);
    return *gone_code_;
  }

  // Returns the exchange of a slot that the caller owns.
  Exchange& ExchangeOf(int slot) { return *exchanges_[static_cast<std::size_t>(slot)]; }

  // The number of exchanges that a stream keeps while nothing is in flight. Each takes some 3 kB.
  static constexpr int kIdleExchanges = 8;

  const CallContext* const context_;
  const ServedMethod method_;
  StreamRpc* const rpc_;
  // The following members are set before the first read.
  Instant start_;
  Instant deadline_;
  std::uint64_t caller_ = 0;
  Admission::Ticket ticket_;  // until OnEnd

  std::array<std::unique_ptr<Exchange>, StreamSession::kMaxInFlight> exchanges_;  // by slot
  // The exchanges of the outstanding read and write. Each is set before its operation starts.
  Exchange* reading_ = nullptr;
  Exchange* writing_ = nullptr;

  Mutex mutex_;
  StreamSession session_ ABSL_GUARDED_BY(mutex_){OrderOf<C>()};
  // The code that the client has seen. Set once the client is gone.
  std::optional<absl::StatusCode> gone_code_ ABSL_GUARDED_BY(mutex_);
  // Slots whose exchanges were made for a busy stream.
  StreamSession::Slots surplus_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_STREAM_CALL_H_
