// From a job to a worker that computes it: the queues of all served models, the workers around
// them, and each worker's engines.
#ifndef HELLOCNN_SERVER_SERVING_BATCH_DISPATCHER_H_
#define HELLOCNN_SERVER_SERVING_BATCH_DISPATCHER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/observability/events.h"
#include "server/runtime/worker_pool.h"
#include "server/scheduling/batch_queue.h"
#include "server/scheduling/job.h"
#include "server/scheduling/scheduler.h"
#include "server/serving/batch_executor.h"

namespace hellocnn::server {

// A job whose deadline passes or that is cancelled while it waits and all workers are busy is
// dropped when the next worker is free and asks for a batch: BatchQueue says when exactly.
//
// Thread-safe.
class BatchDispatcher final : private Work {
 public:
  // A call with one image has three events: it has arrived, its response is sent, it has ended.
  static constexpr int kEventsPerImage = 4;

  // Starts `threads` workers without a queue. They handle no more than kEventsPerImage times
  // `max_batch_size` events between two batches. `events` and `clock` outlive the dispatcher.
  // INVALID_ARGUMENT: `max_batch_size` is less than 1. Other errors are those of WorkerPool::Start.
  static absl::StatusOr<std::unique_ptr<BatchDispatcher>> Start(int threads, int max_batch_size,
                                                                Events* events, const Clock* clock);
  // Calls Stop.
  ~BatchDispatcher() override;

  // Returns the workers, to attach their events and to run tasks on them.
  WorkerPool& pool() { return *pool_; }

  // Adds a queue for a model, which is valid until it is removed. INVALID_ARGUMENT names the option
  // that is out of range.
  absl::StatusOr<BatchQueue*> AddQueue(const BatchQueue::Options& options, ModelId model)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the executor of a worker, which only that worker may use: in WorkerPool::ForEachWorker.
  // Each worker needs an engine for a queue before the first job is submitted to it.
  BatchExecutor& executor(int worker) {
    return workers_[static_cast<std::size_t>(worker)].executor;
  }

  // Drains the queue, blocks until the jobs that it has accepted have finished, drops the engines
  // and removes the queue. If the dispatcher stops meanwhile, the queue stays until the dispatcher
  // is destroyed. Must not be called by a worker.
  void RemoveQueue(BatchQueue* queue) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues the job; never blocks on an engine. If the queue admits it, Job::Accepted is called
  // before a worker can take it. On an error the job is not taken, and neither Accepted nor
  // OnFinished is called: RESOURCE_EXHAUSTED (it does not fit in the queue now), DEADLINE_EXCEEDED
  // (it has passed already), UNAVAILABLE (the queue drains), INVALID_ARGUMENT (no images, or more
  // than the queue can ever hold).
  absl::Status Submit(BatchQueue* queue, Job* job) ABSL_LOCKS_EXCLUDED(mutex_);

  // As Submit, for a job that may as well be left out: see Scheduler::PushSpare. Nothing is told to
  // Events of its images, but only of the batches that they are in.
  absl::Status SubmitSpare(BatchQueue* queue, Job* job) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns true if less than a whole batch waits in all queues together, so that there may be time
  // for such a job.
  bool HasSpareTime() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Rejects further jobs, closes the workers' events, waits until those that are left are handled
  // and every accepted job has finished, and ends the workers. Idempotent. Must not be called from
  // Job::OnFinished, nor by an event.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the number of images that wait now, in all queues.
  int queued_images() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns the number of images that wait now for a model. Returns 0 if it has no queue.
  int queued_images(ModelId model) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Queue {
    ModelId model;
    BatchQueue* queue;
  };
  // The state of one worker, for its own thread only.
  struct Worker {
    BatchExecutor executor;
    Scheduler::Batch batch;
    BatchQueue::Finished finished;
  };

  BatchDispatcher(int threads, int max_batch_size, Events* events, const Clock* clock);

  Instant DueTime() const override;
  Taken Take(int worker) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Run(int worker) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnBusy(int worker, absl::Duration busy) override { events_->OnBusy(worker, busy); }

  absl::Status Push(BatchQueue* queue, Job* job, Instant now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Must be called after each change of a queue.
  void UpdateDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Report to the events, unless `reporter` is null, and to the jobs that have finished.
  static void Report(const std::vector<BatchQueue::Dropped>& dropped,
                     const BatchReporter* reporter);
  static void Report(Job& job, const BatchReporter* reporter);

  const int max_batch_size_;
  Events* const events_;
  const Clock* const clock_;
  std::vector<Worker> workers_;

  mutable Mutex mutex_;
  CondVar idle_;  // for RemoveQueue
  Scheduler scheduler_ ABSL_GUARDED_BY(mutex_);
  std::vector<Queue> queues_ ABSL_GUARDED_BY(mutex_);
  // The scheduler's release time, in nanoseconds of the clock: workers ask for it after each event,
  // without the mutex. Written under the mutex.
  std::atomic<std::int64_t> due_;

  std::unique_ptr<WorkerPool> pool_;  // the last: its threads use all of the above
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_BATCH_DISPATCHER_H_
