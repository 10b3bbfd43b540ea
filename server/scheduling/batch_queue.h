// Which images go into the next batch: order, admission, splitting, dropping and reassembly. Pure
// policy: it has no thread, no lock and no clock, so every rule here is tested with plain time
// values.
#ifndef HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_
#define HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_

#include <cstddef>
#include <list>
#include <memory_resource>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Images [first, first + count) of a job, all in one batch. Whoever computes them writes their rows
// of the job's log-probabilities, or why there are none, before it calls Finish.
struct Slice {
  Job* job;
  int first;
  int count;
  absl::Status status = absl::OkStatus();  // the first that is not OK of Engine::Classify's

  // Whether the engine did its part: INVALID_ARGUMENT is what it says of images.
  bool computed() const { return status.ok() || absl::IsInvalidArgument(status); }
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
// Once the queue has been as long as it gets, it allocates for what fails alone.
//
// Thread-compatible.
class BatchQueue {
 public:
  struct Options {
    int max_batch_size = 32;                          // images, >= 1
    int capacity = 4096;                              // images, >= 1
    absl::Duration max_delay = absl::ZeroDuration();  // >= 0, finite
  };

  // A job, or what was left of it, that left the queue.
  struct Dropped {
    int images;               // that will not be computed
    absl::StatusCode reason;  // see Job::status
    // How long it had been queued, if nothing of it had been taken.
    std::optional<absl::Duration> waited;
    // The job, if nothing of it is in an engine: it is Done. Else null, as it may be gone already.
    Job* finished;
  };

  struct Taken {
    std::vector<Slice> slices;        // the batch; empty if there is nothing to compute now
    int images = 0;                   // in the batch
    Release reason = Release::kIdle;  // of the batch
    std::vector<Dropped> dropped;
    // When `slices` is empty: when to ask again, if nothing is pushed before. InfiniteFuture if the
    // queue is empty.
    Instant ask_again = Instant::InfiniteFuture();
  };

  // What Finish gives back.
  struct Finished {
    std::vector<Job*> jobs;        // that are Done
    std::vector<Dropped> dropped;  // by an engine's failure; none is finished
  };

  explicit BatchQueue(const Options& options) : options_(options) {}

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::Status Validate(const Options& options);

  // Admits the job or says why not: see Batcher::Submit.
  absl::Status Push(Job* job, Instant now);

  // The next batch. Each slice must come back through Finish. `reuse` is an old one, whose memory
  // will do.
  Taken Take(Instant now, Taken reuse);

  // Takes back what Take has given. A job whose slice has an error fails, with INVALID_ARGUMENT if
  // that is the slice's code and else with INTERNAL, and what is still queued of it leaves the
  // queue.
  Finished Finish(const Taken& batch, Instant now, Finished reuse);

  // From now on refuses jobs, and Take no longer waits for max_delay.
  void Drain() { draining_ = true; }

  // When Take will next give a batch: at once if <= now, InfiniteFuture if the queue is empty.
  Instant ReleaseTime() const;

  bool draining() const { return draining_; }
  bool empty() const { return jobs_.empty(); }
  // Returns true if nothing is queued and every slice that was taken has come back.
  bool idle() const { return jobs_.empty() && outstanding_slices_ == 0; }
  int queued_images() const { return queued_images_; }

 private:
  // Of a batch that is due now.
  Release ReleaseReason(Instant now) const;
  // Takes the job out of both orders.
  void Remove(Job& job);
  // Removes what is left of it, because of `status`.
  void Drop(Job& job, absl::Status status, Instant now, std::vector<Dropped>* dropped);

  const Options options_;
  std::pmr::unsynchronized_pool_resource memory_;  // of the two; keeps what they give back
  std::pmr::list<Job*> jobs_{&memory_};            // by arrival
  std::pmr::set<std::pair<Instant, Job*>> deadlines_{&memory_};  // of those that have one
  int queued_images_ = 0;
  std::ptrdiff_t outstanding_slices_ = 0;  // taken, and not back through Finish
  bool draining_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_BATCH_QUEUE_H_
