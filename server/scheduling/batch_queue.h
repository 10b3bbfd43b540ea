// Decides which images go into the next batch: admission, splitting, dropping and reassembly. The
// order is that of a JobOrder. This is pure policy without threads, locks or clocks, so plain time
// values suffice to test every rule.
#ifndef HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_
#define HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_

#include <cstddef>
#include <list>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_order.h"
#include "server/scheduling/wait_model.h"

namespace hellocnn::server {

// Images [first, first + count) of a job, all in one batch. The worker that computes them writes
// their rows of the job's log-probabilities, or sets `status` to an error, before it calls Finish.
struct Slice {
  Job* job;
  int first;
  int count;
  absl::Status status = absl::OkStatus();  // the first error of Engine::Classify

  // Returns true if the engine has computed the images. It has also done so for INVALID_ARGUMENT,
  // which is an error of an image.
  bool computed() const { return status.ok() || absl::IsInvalidArgument(status); }
};

// Why a batch left the queue at its time.
enum class Release {
  kFull,   // max_batch_size images were queued
  kIdle,   // there was no reason to wait: max_delay is 0, or the deadline of a job was too close
  kDelay,  // the oldest job had waited for max_delay
  kDrain,  // the queue drains
};

// Who is next if jobs wait.
enum class QueuePolicy {
  kFair,  // FairOrder
  kFifo,  // FifoOrder
};

// A queue of jobs, from which workers take batches.
//
// Order: the policy decides. With kFair, callers take turns of a quarter of a batch, so that four
// of them share one. A job that is larger than its turn or than the remaining room of a batch is
// split. Its remainder stays in the queue, and other workers may compute it at the same time. Every
// batch is as full as the queued images allow, whoever sent them.
//
// Capacity: the capacity limits the queued images. Images in engines do not count. A job is
// admitted as a whole or rejected. With kFair, it may displace jobs of a caller with more images:
// they leave the queue with RESOURCE_EXHAUSTED, and the next Take tells of them.
//
// Foresight: a job is also rejected if it would be too late: if WaitModel expects it to be computed
// only after its deadline, behind the images that the order puts before it. Two batches are added
// to what it waits: its own, and one for the time that the request has waited to be received while
// all workers computed. Nothing is rejected so if nothing waits, so a wrong expectation is
// corrected by the next job. A rejection for lack of room or time says when to come back
// (RetryAfter), and so does the status of a displaced job.
//
// Dropping: a job whose deadline has passed (deadline <= now) leaves at the next Take, wherever it
// is in the queue. While more than a batch waits, so does a job whose deadline will have passed
// when a full batch is computed: it would take time from jobs that can still succeed. A cancelled
// job leaves when a Take reaches it, and takes no room in that batch.
// Until then it counts as queued. While all workers are busy, both kinds stay: an expired job for
// at most one engine call, a cancelled job until the jobs before it have been taken. If a part of
// the job is in an engine, its remainder leaves at once. The job finishes, with the status of the
// drop, when those parts are back.
// A job that is computed after its deadline ends with DEADLINE_EXCEEDED.
//
// Worst-case wait: a worker waits for a batch until at most max_delay after the oldest job arrived.
// It does not wait at all if max_batch_size images are queued, if a queued deadline falls before
// the end of the wait, or if the queue drains. Apart from that, a job waits for the images before
// it: at most `capacity` with kFifo, and with kFair those that FairOrder tells. `capacity` images
// are ceil(capacity / max_batch_size) batches, shared by the workers, after the batches that are in
// engines already.
//
// Cost: for each job that is added, taken or dropped, Push and Take are logarithmic in the number
// of queued jobs. Once the queue has had its greatest length, it allocates memory only for
// failures.
//
// Thread-compatible.
class BatchQueue {
 public:
  struct Options {
    int max_batch_size = 32;                          // images, >= 1
    int capacity = 4096;                              // images, >= 1
    absl::Duration max_delay = absl::ZeroDuration();  // >= 0, finite
    QueuePolicy policy = QueuePolicy::kFair;
  };

  // A job, or the remainder of a job, that was dropped from the queue.
  struct Dropped {
    int images;               // the images that will not be computed
    absl::StatusCode reason;  // see Job::status
    // The time that the job was queued, if no part of it had been taken.
    std::optional<absl::Duration> waited;
    // The job, if no part of it is in an engine: the owner must call its OnFinished. Otherwise
    // null, because the job may have been destroyed already.
    Job* finished;
  };

  struct Taken {
    std::vector<Slice> slices;        // the batch; empty if there is nothing to compute now
    int images = 0;                   // in the batch
    Release reason = Release::kIdle;  // why the batch left the queue
    std::vector<Dropped> dropped;
    // If `slices` is empty: when to call Take again, unless a job is pushed earlier. InfiniteFuture
    // if the queue is empty.
    Instant ask_again = Instant::InfiniteFuture();
  };

  // The result of Finish.
  struct Finished {
    std::vector<Job*> jobs;        // the jobs whose OnFinished is to be called
    std::vector<Dropped> dropped;  // dropped because an engine failed; `finished` is always null
  };

  explicit BatchQueue(const Options& options);

  // Checks the options. INVALID_ARGUMENT: an option is out of range. The message names it.
  static absl::Status Validate(const Options& options);

  // Admits the job, or returns one of the errors that BatchDispatcher::Submit documents.
  absl::Status Push(Job* job, Instant now);

  // Returns the next batch. Each of its slices must be returned through Finish. Recycles the
  // buffers of `reuse`, an earlier result.
  Taken Take(Instant now, Taken reuse);

  // Takes back a batch that Take returned. If the slice of a job has an error, the job fails and
  // its queued remainder leaves the queue. The job's code is INVALID_ARGUMENT if the slice's code
  // is, otherwise INTERNAL. Recycles the buffers of `reuse`, an earlier result.
  Finished Finish(const Taken& batch, Instant now, Finished reuse);

  // Notes that an engine computed a batch of `images` of this queue, at least one.
  void OnComputed(int images, absl::Duration compute) { waits_.OnComputed(images, compute); }

  // Returns the estimated time to compute a batch of `images`. Infinite until the first batch has
  // been computed.
  absl::Duration ExpectedCompute(int images) const {
    return waits_.has_computed() ? waits_.ComputeTime(images) : absl::InfiniteDuration();
  }

  // Drains the queue: from now on it rejects jobs, and Take no longer waits for max_delay.
  void Drain() { draining_ = true; }

  // Returns the time at which Take will return the next batch, or jobs that were displaced: at once
  // if the time is <= now. InfiniteFuture if there are none.
  Instant ReleaseTime() const;

  const Options& options() const { return options_; }
  bool draining() const { return draining_; }
  bool empty() const { return jobs_.empty(); }
  // Returns true if nothing is queued, every slice that was taken has been returned, and every job
  // that was dropped has been told.
  bool idle() const { return jobs_.empty() && outstanding_slices_ == 0 && displaced_.empty(); }
  int queued_images() const { return queued_images_; }

 private:
  // Returns the job's rejection if there is too little time for it, and else OK.
  absl::Status CheckTime(const Job& job, Instant now) const;
  // Displaces jobs until there is room for the job. Returns its rejection if there is none.
  absl::Status MakeRoom(const Job& job, Instant now);
  // Returns when to come back for room for `images`.
  absl::Duration RetryAfterRoomFor(int images) const;
  // Returns the deadlines up to which jobs leave the queue at `now`.
  Instant HopelessDeadline(Instant now) const;
  // Returns the reason of a batch that is due now.
  Release ReleaseReason(Instant now) const;
  // Removes the job, none or all of whose images wait.
  void Remove(Job& job);
  // Removes the remainder of the job, because of `status`.
  void Drop(Job& job, absl::Status status, Instant now, std::vector<Dropped>* dropped);

  const Options options_;
  std::pmr::unsynchronized_pool_resource memory_;  // for the next three; keeps what they free
  const std::unique_ptr<JobOrder> order_;
  std::pmr::list<Job*> jobs_{&memory_};                          // by arrival
  std::pmr::set<std::pair<Instant, Job*>> deadlines_{&memory_};  // of jobs that have one
  WaitModel waits_;
  int queued_images_ = 0;
  std::ptrdiff_t outstanding_slices_ = 0;  // taken, and not yet returned through Finish
  std::vector<Dropped> displaced_;         // since the last Take
  bool draining_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_
