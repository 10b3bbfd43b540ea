// Worker threads around a BatchQueue: each handles events, which bring jobs, takes a batch, runs
// its own engine on it, and reports. So a request is received, computed and answered by one thread.
//
// Work-conserving: a worker that has handled what there is takes what has queued at once, unless
// max_delay says otherwise.
#ifndef HELLOCNN_SERVER_RUNTIME_BATCHER_H_
#define HELLOCNN_SERVER_RUNTIME_BATCHER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/engine.h"
#include "server/runtime/batch_reporter.h"
#include "server/runtime/event_queue.h"
#include "server/scheduling/batch_queue.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// A job whose deadline passes or that is cancelled while it waits and all workers are busy is
// dropped when the next worker is free and asks for a batch: BatchQueue says when exactly. Nothing
// interrupts an engine, and a worker in an engine handles no events.
//
// Of the workers that have nothing to do, one waits for events and the others sleep: each event
// wakes one thread, and a lone call is answered by it. A worker wakes another one when it has
// handled kFewEvents without a pause, leaves work for others, or will compute for longer than
// kShortCompute while nobody waits for events.
//
// Workers take denormal numbers for 0: FlushDenormals says why.
//
// Events come before batches, so that the queue shows all that waits and refuses what it can't
// hold; but while something is due, a worker handles no more than kEventsPerImage times
// max_batch_size of them between two batches.
//
// Thread-safe.
class Batcher {
 public:
  // What a worker does with its engine before anything else, on its own thread. A worker for which
  // it fails ends.
  using Prepare = std::function<absl::Status(Engine&)>;

  // A call with one image has three events: it is there, its answer is sent, it is over.
  static constexpr int kEventsPerImage = 4;

  // What a worker does without waking another: about as much as waking costs.
  static constexpr int kFewEvents = 4;
  static constexpr absl::Duration kShortCompute = absl::Microseconds(50);

  // Makes `threads` engines and starts as many workers. `events`, `clock` and what `reporting`
  // points to outlive the batcher. INVALID_ARGUMENT: an option out of range, by name.
  // RESOURCE_EXHAUSTED: a thread does not start. Else what the factory returned. After an error the
  // events are as they were.
  static absl::StatusOr<std::unique_ptr<Batcher>> Start(
      int threads, const BatchQueue::Options& options, const EngineFactory& engines,
      EventQueue* events, const Reporting& reporting, const Clock* clock,
      const Prepare& prepare = nullptr);
  // Drains.
  ~Batcher();

  // Queues the job; never blocks on the engine. On an error the job is not taken and Done is not
  // called: RESOURCE_EXHAUSTED (it does not fit in the queue now), DEADLINE_EXCEEDED (already
  // past), UNAVAILABLE (draining), INVALID_ARGUMENT (no images, or more than the queue can ever
  // hold).
  absl::Status Submit(Job* job) ABSL_LOCKS_EXCLUDED(mutex_);

  // Refuses further jobs, closes the events, waits until those that are left are handled and every
  // accepted job is done, and ends the workers. Idempotent. Must not be called from Done, nor by an
  // event.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Images that wait now.
  int queued_images() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Batcher(const BatchQueue::Options& options, EventQueue* events, const Clock* clock);

  // The life of worker number `worker`.
  void Work(int worker, const Prepare& prepare) ABSL_LOCKS_EXCLUDED(mutex_);
  // Handles events as worker `worker` until a batch is due and no event is left (kNothing), or too
  // many were (kEvent), or there will be none any more (kEnd).
  EventQueue::Got HandleEvents(int worker, Instant* busy_since) ABSL_LOCKS_EXCLUDED(mutex_);
  // For a worker that has nothing to do until the queue's release time: waits, or sleeps if another
  // one waits (kNothing then).
  EventQueue::Got WaitForEvent(EventQueue::Event* event) ABSL_LOCKS_EXCLUDED(mutex_);
  // A batch or something to report as dropped, if either is due. Wakes another worker if it leaves
  // something, in the queue or, unless `caught_up`, among the events.
  BatchQueue::Taken Take(bool caught_up, BatchQueue::Taken reuse) ABSL_LOCKS_EXCLUDED(mutex_);
  // A worker that has nothing to do, rather one that sleeps than the one that waits.
  enum class Idle { kNone, kSleeping, kWaiting };
  Idle WhoIsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake(Idle who);
  // Reports that worker `worker` was busy from `since`, which becomes `now`, until then.
  void ReportBusy(int worker, Instant now, Instant* since) const;
  // These report for a worker, and tell the jobs that are finished.
  static void Report(const std::vector<BatchQueue::Dropped>& dropped,
                     const BatchReporter& reporter);
  static void Report(Job& job, const BatchReporter& reporter);

  const int max_events_;  // between two batches
  EventQueue* const events_;
  const Clock* const clock_;
  mutable Mutex mutex_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  // Of the last batch; before the first, too much.
  absl::Duration time_per_image_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();

  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // a worker waits for events
  int sleeping_ ABSL_GUARDED_BY(mutex_) = 0;      // workers that sleep because one waits
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;    // there will be no events any more
  CondVar changed_;                               // for those that sleep

  std::once_flag joined_;  // of two that drain at once, both return when all is done
  std::vector<std::unique_ptr<Engine>> engines_;  // one a worker; constant while workers_ run
  std::vector<BatchReporter> reporters_;          // the same
  std::vector<std::thread> workers_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_BATCHER_H_
