// One ClassifyStream call, with many requests in flight. Each response is sent when it is ready.
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

// Carries out the steps that its StreamSession plans. Lives until the call is over, every job is
// done, and the admission has released it.
class ClassifyStream final : public BidiCall,
                             public Drainable,
                             public std::enable_shared_from_this<ClassifyStream> {
 public:
  // Takes one call after the other from `events`, as long as gRPC has calls.
  static void Listen(const ServingContext* serving, AsyncClassifier* service,
                     CompletionEvents* events);

  // Drains the stream. Requests that are read from now on are rejected with UNAVAILABLE. The call
  // ends when the responses to earlier requests have been written.
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A request, its account, the job to compute it and its response. Later requests in the same slot
  // of the session use it again.
  //
  // The owner of the slot also owns the exchange. The first owners are the thread that starts the
  // read, gRPC, and the thread that handles the request. The next are the queue and the worker that
  // has computed it. The last are gRPC again, and the thread that has written or discards the
  // response. The session passes slots on under the lock.
  class Exchange final : public Job {
   public:
    Exchange(ClassifyStream* stream, int number) : slot(number), stream_(stream) {}

    void Accepted() override {
      scope.OnAccepted(stream_->ticket_.servable().id(), static_cast<int>(images().size()));
    }
    void Done() override { stream_->OnComputed(*this); }

    const int slot;
    grpc::ByteBuffer bytes;                     // the request, and later the finished response
    std::uint64_t id = 0;                       // of the request
    Answer<v1::ClassifyStreamResponse> answer;  // the response until it is finished
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

  // Submits or rejects a request that was read. Ends the stream if the bytes are not a valid
  // message.
  void Handle(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Queues the job of the request or rejects the request. If the client is gone, only accounts for
  // the request. The caller no longer owns the exchange when the function returns.
  void Submit(const Request& request, Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  void Reject(Exchange& exchange, const Rejection& rejection) ABSL_LOCKS_EXCLUDED(mutex_);
  // Implements Done for the job of the exchange.
  void OnComputed(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the response to a request. Frees the memory of the request, because the client may take
  // long to read the response.
  void Respond(Exchange& exchange, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the steps that the session returned. The stream may have ended when the function returns.
  void Take(const StreamSession::Steps& steps) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartReading(int slot) ABSL_LOCKS_EXCLUDED(mutex_);
  // Remembers whether an idle stream need not keep the exchange of the read that was planned.
  void NoteSurplus(const StreamSession::Steps& steps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Deletes the exchanges that an idle stream need not keep.
  void DropSurplus() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records that the client is gone. Returns gone_code_, which the first call sets.
  absl::StatusCode NoteGone() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns the exchange of a slot that the caller owns.
  Exchange& ExchangeOf(int slot) { return *exchanges_[static_cast<std::size_t>(slot)]; }

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
  // The following members are set before the first read.
  Instant start_;
  Instant deadline_;
  Admission::Ticket ticket_;              // until OnDone
  std::shared_ptr<ClassifyStream> self_;  // until Dispose

  std::array<std::unique_ptr<Exchange>, StreamSession::kMaxInFlight> exchanges_;  // by slot
  // The exchanges of the outstanding read and write. Each is set before its operation starts.
  Exchange* reading_ = nullptr;
  Exchange* writing_ = nullptr;

  Mutex mutex_;
  StreamSession session_ ABSL_GUARDED_BY(mutex_);
  // The code that the client has seen. Set once the client is gone.
  std::optional<absl::StatusCode> gone_code_ ABSL_GUARDED_BY(mutex_);
  // Slots whose exchanges were made for a busy stream.
  StreamSession::Slots surplus_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
