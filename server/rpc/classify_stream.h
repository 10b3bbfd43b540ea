// One ClassifyStream call: many requests in flight, answers as they are ready.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
#define HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/batching/batcher.h"
#include "server/batching/job.h"
#include "server/rpc/admission.h"
#include "server/rpc/async_call.h"
#include "server/rpc/serving_context.h"
#include "server/telemetry/statistics.h"

namespace hellocnn::server {

// Requests of one stream between being read and having their answer written. At the bound the
// stream stops reading, and HTTP/2's flow control holds the client back. It bounds the memory that
// a client can take by not reading answers.
inline constexpr int kMaxInFlightPerStream = 64;

// Lives until the call is over, and for as long as a job or the admission holds it.
//
// Finish is called once, when nothing is in flight any more; so no StartWrite and no `done` can
// follow it.
class ClassifyStream final : public BidiCall<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>,
                             public Drainable,
                             public std::enable_shared_from_this<ClassifyStream> {
 public:
  // Takes the next call from `events`, and then another one, for as long as gRPC has calls.
  static void Listen(const ServingContext* serving, v1::ClassifierService::AsyncService* service,
                     CompletionEvents* events);

  // Requests that are read from now on are answered with UNAVAILABLE; when those before are
  // answered, the call ends.
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Request {
    v1::ClassifyStreamRequest message;  // the job's images point into it
    absl::Time start;
    absl::Time deadline;
  };
  // An answer to be written, and what to tell the metrics then.
  struct Pending {
    std::unique_ptr<v1::ClassifyStreamResponse> message;
    absl::StatusCode code = absl::StatusCode::kOk;
    absl::Duration duration;
    AnswerStatistics statistics;  // of no image unless code is OK
  };
  // What to ask of gRPC once the lock is released. At most one of the two.
  struct Step {
    const v1::ClassifyStreamResponse* write = nullptr;
    std::optional<grpc::Status> finish;
  };

  ClassifyStream(const ServingContext* serving, v1::ClassifierService::AsyncService* service,
                 CompletionEvents* events);

  void OnCall() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;
  void Dispose() override { const std::shared_ptr<ClassifyStream> last = std::move(self_); }

  void ReadNext();
  // Submits or answers a request that was read.
  void Handle(const std::shared_ptr<Request>& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // UNAVAILABLE when draining. Submits the request's job, after which its `done` answers it.
  absl::Status Submit(const std::shared_ptr<Request>& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answer(const Request& request, const absl::Status& status, Pending answer, const Job* job)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Tell the metrics of a request's end: its answer is sent, or its caller has gone, with `code`.
  void CountSent(const Pending& answer) const;
  void CountGivenUp(const Pending& answer, absl::StatusCode code) const;

  bool WantsToRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The client is gone: nothing more is written, and what is queued is not computed. Returns the
  // answers that are given up, to be counted once the lock is released.
  std::vector<Pending> Break() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The stream may have ended when it returns.
  void Run(Step step) ABSL_LOCKS_EXCLUDED(mutex_);

  const ServingContext* const serving_;
  v1::ClassifierService::AsyncService* const service_;
  // These are set before the first read.
  absl::Time start_;
  absl::Time deadline_;
  Batcher* batcher_ = nullptr;
  std::shared_ptr<ClassifyStream> self_;  // until Dispose
  std::unique_ptr<Request> incoming_;     // gRPC's while a read is outstanding, else the reader's

  absl::Mutex mutex_;
  std::set<std::shared_ptr<Job>> jobs_ ABSL_GUARDED_BY(mutex_);  // not done
  // Answers that are not written; the first is being written if writing_.
  std::deque<Pending> answers_ ABSL_GUARDED_BY(mutex_);
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;  // read, and the answer neither written nor given up
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;  // no read is outstanding because of in_flight_
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::StatusCode gone_code_ ABSL_GUARDED_BY(mutex_) =
      absl::StatusCode::kCancelled;  // what the client has seen, if broken_
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFY_STREAM_H_
