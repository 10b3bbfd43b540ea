// One ClassifyStream call: many requests in flight, answers as they are ready.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/rpc/admission.h"
#include "server/rpc/answer.h"
#include "server/rpc/async_call.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/core/stream_session.h"
#include "server/rpc/request.h"
#include "server/rpc/serving_context.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Carries out what its StreamSession plans. Lives until the call is over, every job is done, and
// the admission has let it go.
class ClassifyStream final : public BidiCall,
                             public Drainable,
                             public std::enable_shared_from_this<ClassifyStream> {
 public:
  // Takes the next call from `events`, and then another one, for as long as gRPC has calls.
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events);

  // Requests that are read from now on are answered with UNAVAILABLE; when those before are
  // answered, the call ends.
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A request, its account, the job to compute it and its response. It is used
  // again for a later request in the same slot of the session.
  //
  // Whoever has the slot has the exchange: the thread that starts its read, gRPC, the thread that
  // handles the request, the queue, the worker that has computed it, gRPC again, and the thread
  // that has written or discards the response. The session hands slots on under the lock.
  class Exchange final : public Job {
   public:
    Exchange(ClassifyStream* stream, int number) : slot(number), stream_(stream) {}

    void Accepted() override {
      scope.OnAccepted(stream_->ticket_.servable().id(), static_cast<int>(images().size()));
    }
    void Done() override { stream_->OnComputed(*this); }

    const int slot;
    grpc::ByteBuffer bytes;                     // the request, and once it is ready the response
    std::uint64_t id = 0;                       // of the request
    Answer<v1::ClassifyStreamResponse> answer;  // until it is ready
    CallScope scope;

   private:
    ClassifyStream* const stream_;
  };

  ClassifyStream(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events);

  void OnCall() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;
  void Dispose() override { const std::shared_ptr<ClassifyStream> last = std::move(self_); }

  // Submits or rejects a request that was read, or ends the stream if the bytes are none.
  void Handle(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Queues the request's job, or responds to it: with a rejection, or in vain if the client is
  // gone. The exchange may be anything when it returns.
  void Submit(const Request& request, Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  void Reject(Exchange& exchange, const Rejection& rejection) ABSL_LOCKS_EXCLUDED(mutex_);
  // Done of the exchange's job.
  void OnComputed(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the response of a request. The client may take its time to read it, so the memory that
  // the request took is given back.
  void Respond(Exchange& exchange, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the steps that the session returned. The stream may have ended when it returns.
  void Take(const StreamSession::Steps& steps) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartReading(int slot) ABSL_LOCKS_EXCLUDED(mutex_);
  // Remembers whether an idle stream need not keep the exchange of the read that was planned.
  void NoteSurplus(const StreamSession::Steps& steps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Deletes the exchanges that an idle stream need not keep.
  void DropSurplus() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The client is gone. Returns gone_code_, which the first call sets.
  absl::StatusCode NoteGone() ABSL_LOCKS_EXCLUDED(mutex_);
  // The exchange of a slot that the caller has.
  Exchange& ExchangeOf(int slot) { return *exchanges_[static_cast<std::size_t>(slot)]; }

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
  // These are set before the first read.
  Instant start_;
  Instant deadline_;
  Admission::Ticket ticket_;              // until OnDone
  std::shared_ptr<ClassifyStream> self_;  // until Dispose

  std::array<std::unique_ptr<Exchange>, StreamSession::kMaxInFlight> exchanges_;  // by slot
  // Of the read and the write that are outstanding: set before each starts.
  Exchange* reading_ = nullptr;
  Exchange* writing_ = nullptr;

  Mutex mutex_;
  StreamSession session_ ABSL_GUARDED_BY(mutex_);
  // What the client has seen. Set if it is gone.
  std::optional<absl::StatusCode> gone_code_ ABSL_GUARDED_BY(mutex_);
  // Slots whose exchanges were made for a busy stream.
  StreamSession::Slots surplus_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
