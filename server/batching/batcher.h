// Worker threads around a BatchQueue: each takes a batch, runs its own engine on it, and reports.
// Work-conserving: an idle worker takes what has queued at once, unless max_delay says otherwise.
#ifndef HELLOCNN_SERVER_BATCHING_BATCHER_H_
#define HELLOCNN_SERVER_BATCHING_BATCHER_H_

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hellocnn/engine.h"
#include "server/batching/batch_queue.h"
#include "server/batching/job.h"

namespace hellocnn::server {

class MutexLock;

// Told of what becomes of each image that was admitted, on the worker's thread, with no lock held.
// Of one image it hears OnDropped, or OnBatch with an engine's failure, or OnBatch and then, if its
// job has failed, OnAbandoned. Thread-safe; must not block.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  // An engine has run on the batch, with that status, before any of its jobs is reported.
  virtual void OnBatch(int worker, const BatchQueue::Taken& batch, absl::Duration compute,
                       const absl::Status& status) = 0;
  // A job, or what was left of it, left the queue without being computed. The job's status says
  // why: DEADLINE_EXCEEDED, CANCELLED, or INTERNAL if the engine has failed on another part of it.
  virtual void OnDropped(const BatchQueue::Dropped& dropped) = 0;
  // A job failed of which so many images had been computed.
  virtual void OnAbandoned(int images) = 0;
};

// A job whose deadline passes or that is cancelled while it waits and all workers are busy is
// dropped when the next worker is free and asks for a batch: BatchQueue says when exactly. Nothing
// interrupts an engine.
//
// Thread-safe.
class Batcher {
 public:
  // Makes `threads` engines and starts as many workers. `observer` may be null, else it outlives
  // the batcher. INVALID_ARGUMENT: an option out of range, by name. Else what the factory returned.
  static absl::StatusOr<std::unique_ptr<Batcher>> Start(int threads,
                                                        const BatchQueue::Options& options,
                                                        const EngineFactory& engines,
                                                        BatchObserver* observer);
  // Drains.
  ~Batcher();

  // Queues the job; never blocks on the engine. On an error the job is not taken and `done` is not
  // called: RESOURCE_EXHAUSTED (it does not fit in the queue now), DEADLINE_EXCEEDED (already
  // past), UNAVAILABLE (draining), INVALID_ARGUMENT (no images, or more than the queue can ever
  // hold).
  absl::Status Submit(std::shared_ptr<Job> job) ABSL_LOCKS_EXCLUDED(mutex_);

  // Refuses further jobs, waits until every accepted one is done, and ends the workers. Idempotent.
  // Must not be called from `done`.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Images that wait now.
  int queued_images() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Batcher(const BatchQueue::Options& options, BatchObserver* observer);

  // The life of worker number `worker`.
  void Work(int worker, Engine& engine) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the observer, and calls `done` of those that are finished.
  void Report(const std::vector<BatchQueue::Dropped>& dropped) const;
  void Report(const QueuedJob& job) const;
  // Waits for a batch or for something to report as dropped; nothing of either if the worker is to
  // end.
  BatchQueue::Taken NextBatch() ABSL_LOCKS_EXCLUDED(mutex_);
  void Sleep(MutexLock& lock, absl::Time until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  BatchObserver* const observer_;  // may be null
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  int sleeping_ ABSL_GUARDED_BY(mutex_) = 0;  // workers in Sleep: with none, Submit wakes nobody
  // A worker sleeps until the queue's release time, so that the others can sleep without an alarm.
  bool timekeeper_ ABSL_GUARDED_BY(mutex_) = false;

  std::once_flag joined_;  // of two that drain at once, both return when all is done
  std::vector<std::unique_ptr<Engine>> engines_;  // one a worker; constant while workers_ run
  std::vector<std::thread> workers_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_BATCHING_BATCHER_H_
