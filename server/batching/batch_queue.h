// Which images go into the next batch: order, admission, splitting, dropping and reassembly. Pure
// policy: it has no thread, no lock and no clock, so every rule here is tested with plain time
// values.
#ifndef HELLOCNN_SERVER_BATCHING_BATCH_QUEUE_H_
#define HELLOCNN_SERVER_BATCHING_BATCH_QUEUE_H_

#include <cstddef>
#include <list>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/prediction.h"
#include "server/batching/job.h"

namespace hellocnn::server {

// A job in the queue or in engines, and all that is needed to put it together again. Only
// BatchQueue changes it, but for `predictions`: whoever computes a slice writes that slice's part
// before it calls Finish.
class QueuedJob {
 public:
  // Allocates, so make it before taking the queue's lock.
  explicit QueuedJob(std::shared_ptr<Job> job);

  // Calls the job's `done`. For jobs that Take or Finish has handed back as finished, once.
  void Report() const;

  const Job& job() const { return *job_; }
  int images() const { return static_cast<int>(job_->images.size()); }
  // Where the results of slice [first, first + count) go.
  std::span<Prediction> predictions(int first, int count) {
    return std::span(predictions_)
        .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  }
  // Why it failed; OK until then. Once not OK, it does not change.
  const absl::Status& status() const { return status_; }
  const JobTiming& timing() const { return timing_; }
  // Images of it that an engine has computed so far. Final once Take or Finish has handed it back
  // as finished.
  int computed() const { return computed_; }

 private:
  friend class BatchQueue;

  const std::shared_ptr<Job> job_;
  std::vector<Prediction> predictions_;
  absl::Status status_;
  JobTiming timing_;
  absl::Time submitted_;
  absl::Time first_taken_;
  int taken_ = 0;        // images [0, taken_) have left the queue
  int outstanding_ = 0;  // slices that are being computed
  int computed_ = 0;
  bool queued_ = false;
  std::list<std::shared_ptr<QueuedJob>>::iterator position_;  // while queued_
};

// Images [first, first + count) of a job, all in one batch.
struct Slice {
  std::shared_ptr<QueuedJob> job;
  int first;
  int count;
};

// Why a batch left the queue when it did.
enum class Release {
  kFull,   // max_batch_size images were queued
  kIdle,   // there was no reason to wait: no max_delay, or a job that could not afford it
  kDelay,  // the oldest job had waited for max_delay
  kDrain,  // the queue drains
};

// Order: first in, first out by job. A job larger than what is left of a batch is split; its
// remainder keeps its place at the head and may be computed by other workers at the same time.
//
// Capacity: counts queued images, not those in engines. A job is admitted whole or refused.
//
// Dropping: a job whose deadline has come (deadline <= now) leaves at the next Take, wherever it
// stands. A job that was cancelled leaves when a Take reaches it, and takes no room in that batch;
// until then it counts as queued. While all workers are busy both stay: an expired job for at most
// one engine call, a cancelled one for as long as those before it take. If a part of the job is in
// an engine, its remainder leaves and the job finishes, with the drop's status, when those parts
// are back.
//
// Worst-case wait: a worker that asks is kept waiting at most max_delay after the oldest job
// arrived, and not at all if max_batch_size images are queued, a queued deadline falls before the
// wait would end, or the queue drains. Otherwise a job waits for those before it, at most capacity
// images: ceil(capacity / max_batch_size) batches, shared by the workers, after those that are in
// the engines.
//
// Cost: Push and Take are logarithmic in the jobs queued, for each job added, taken or dropped.
//
// Thread-compatible.
class BatchQueue {
 public:
  struct Options {
    int max_batch_size = 32;                          // images, >= 1
    int capacity = 4096;                              // images, >= 1
    absl::Duration max_delay = absl::ZeroDuration();  // >= 0, finite
  };

  struct Dropped {
    std::shared_ptr<QueuedJob> job;  // its status() says why
    int images;                      // that will not be computed; all of it, if none had been taken
    bool finished;                   // nothing of it is in an engine: Report it
  };

  struct Taken {
    std::vector<Slice> slices;        // the batch; empty if there is nothing to compute now
    int images = 0;                   // in the batch
    Release reason = Release::kIdle;  // of the batch
    std::vector<Dropped> dropped;
    // When `slices` is empty: when to ask again, if nothing is pushed before. InfiniteFuture if the
    // queue is empty.
    absl::Time ask_again = absl::InfiniteFuture();
  };

  explicit BatchQueue(const Options& options) : options_(options) {}

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::Status Validate(const Options& options);

  // Admits the job or says why not: see Batcher::Submit.
  absl::Status Push(std::shared_ptr<QueuedJob> job, absl::Time now);

  // The next batch. Each slice must come back through Finish.
  Taken Take(absl::Time now);

  // Takes back what Take has given. `status` is the engine's: if not OK, every job in the batch
  // fails with INTERNAL and what is still queued of it leaves the queue, to `dropped`, not
  // finished. Returns the jobs to Report.
  std::vector<std::shared_ptr<QueuedJob>> Finish(const Taken& batch, const absl::Status& status,
                                                 absl::Time now, std::vector<Dropped>* dropped);

  // From now on refuses jobs, and Take no longer waits for max_delay.
  void Drain() { draining_ = true; }

  // When Take will next give a batch: at once if <= now, InfiniteFuture if the queue is empty.
  absl::Time ReleaseTime() const;

  bool draining() const { return draining_; }
  bool empty() const { return jobs_.empty(); }
  int queued_images() const { return queued_images_; }

 private:
  // Of a batch that is due now.
  Release ReleaseReason(absl::Time now) const;
  // Takes the job out of both orders.
  void Remove(QueuedJob& job);
  // Removes what is left of it, because of `status`.
  void Drop(QueuedJob& job, absl::Status status, absl::Time now, std::vector<Dropped>* dropped);

  const Options options_;
  std::list<std::shared_ptr<QueuedJob>> jobs_;             // by arrival
  std::set<std::pair<absl::Time, QueuedJob*>> deadlines_;  // of those in jobs_ that have one
  int queued_images_ = 0;
  bool draining_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_BATCHING_BATCH_QUEUE_H_
