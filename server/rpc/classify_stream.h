// One ClassifyStream call: many requests in flight, answers as they are ready.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/events.h"
#include "server/rpc/admission.h"
#include "server/rpc/answer.h"
#include "server/rpc/async_call.h"
#include "server/rpc/request.h"
#include "server/rpc/serving_context.h"
#include "server/runtime/batcher.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Requests of one stream between being read and having their answer written. At the bound the
// stream stops reading, and HTTP/2's flow control holds the client back. It bounds the memory that
// a client can take by not reading answers.
inline constexpr int kMaxInFlightPerStream = 64;

// Lives until the call is over, every job is done, and the admission has let it go.
//
// Finish is called once, when nothing is in flight any more; so no StartWrite and no job can follow
// it.
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
  class Exchange;
  using Exchanges = std::list<Exchange>;

  // A request, the job to compute it, its answer and what to tell the metrics of that. It goes from
  // list to list, and when the answer is written it is used again.
  class Exchange final : public Job {
   public:
    explicit Exchange(ClassifyStream* stream) : stream_(stream) {}

    void Accepted() override { stream_->OnAccepted(*this); }
    void Done() override { stream_->OnComputed(*this); }
    void Clear() {
      bytes.Clear();
      computed_images = 0;
      confidences.clear();
    }

    grpc::ByteBuffer bytes;                     // the request, and once it is settled the answer
    std::uint64_t id = 0;                       // of the request
    Answer<v1::ClassifyStreamResponse> answer;  // until it is settled
    Instant start;
    absl::StatusCode code = absl::StatusCode::kOk;
    absl::Duration duration;
    int computed_images = 0;              // none unless code is OK
    std::vector<Confidence> confidences;  // of these; kept for the next request
    Exchanges::iterator position;         // of this one, in whatever list it is

   private:
    ClassifyStream* const stream_;
  };
  // What to ask of gRPC once the lock is released. At most one of the two.
  struct Step {
    Exchange* write = nullptr;
    std::optional<grpc::Status> finish;
  };

  ClassifyStream(const ServingContext* serving, AsyncClassifier* service, CompletionEvents* events);

  void OnCall() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;
  void Dispose() override { const std::shared_ptr<ClassifyStream> last = std::move(self_); }

  // Where the next request is to be read to: an exchange that was used before, or a new one.
  grpc::ByteBuffer* NextRequest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Submits or answers a request that was read; or ends the stream if it is none.
  void Handle(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // What came is no request, so that there is none to answer.
  void EndWith(const absl::Status& error, Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // UNAVAILABLE when draining. After OK, the exchange may be anything when it returns.
  absl::Status Submit(const Request& request, Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Accepted and Done of the exchange's job.
  void OnAccepted(const Exchange& exchange) const;
  void OnComputed(Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes its answer, for a client that may take its time: what the request took is given back.
  // `computed`: a job of it was queued.
  void Settle(Exchange& exchange, const absl::Status& status, bool computed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Tell the metrics of a request's end: its answer is sent, or its caller has gone, with `code`.
  void CountSent(const Exchange& exchange) const;
  void CountGivenUp(const Exchange& exchange, absl::StatusCode code) const;

  bool WantsToRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The client is gone: nothing more is written, and what is queued is not computed. Returns the
  // answers that are given up, to be counted once the lock is released.
  Exchanges Break() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The stream may have ended when it returns.
  void Run(Step step) ABSL_LOCKS_EXCLUDED(mutex_);

  const ServingContext* const serving_;
  AsyncClassifier* const service_;
  // These are set before the first read.
  Instant start_;
  Instant deadline_;
  Batcher* batcher_ = nullptr;
  std::shared_ptr<ClassifyStream> self_;  // until Dispose

  Mutex mutex_;
  // An exchange's way. What is in reading_ and writing_ is in gRPC's hands, then in those of the
  // thread that reacts; what is in handled_ in those of the thread that has read it, then the
  // batcher's, then the worker's that has computed it.
  Exchanges reading_ ABSL_GUARDED_BY(mutex_);  // at most one
  Exchanges handled_ ABSL_GUARDED_BY(mutex_);
  Exchanges answered_ ABSL_GUARDED_BY(mutex_);  // to be written, in this order
  Exchanges writing_ ABSL_GUARDED_BY(mutex_);   // at most one
  Exchanges idle_ ABSL_GUARDED_BY(mutex_);
  int computing_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs that are not done
  // Requests that are read, and their answers neither written nor given up; and OnCall, while it
  // runs.
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool paused_ ABSL_GUARDED_BY(mutex_) =
      false;  // no read is outstanding until an answer is written
  bool reading_ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more is to be read
  absl::Status error_ ABSL_GUARDED_BY(mutex_);          // why, unless the client has half-closed
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::StatusCode gone_code_ ABSL_GUARDED_BY(mutex_) =
      absl::StatusCode::kCancelled;  // what the client has seen, if broken_
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
