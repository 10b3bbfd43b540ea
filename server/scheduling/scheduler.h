// Decides which queue's images are computed next. Like BatchQueue, it is pure policy without
// threads, locks or clocks.
#ifndef HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_
#define HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/scheduling/batch_queue.h"

namespace hellocnn::server {

// Owns one BatchQueue for each model that is served, and chooses between them round-robin. It takes
// the next queue, after the one that returned the last batch, that has a batch due. A model with a
// long queue thus delays another model by at most one batch of each queue between them.
//
// Beside each queue there may be a spare one, for jobs that may as well be left out. Their images
// are computed only if no other queue has a batch due. They take no room of others, and displace
// none.
//
// Thread-compatible.
class Scheduler {
 public:
  // A batch of one queue.
  struct Batch {
    BatchQueue* queue = nullptr;  // as Add has returned it; null if nothing is due
    bool spare = false;           // from the spare queue beside it
    BatchQueue::Taken taken;
    // See BatchQueue::ExpectedCompute.
    absl::Duration expected_compute;
  };

  // Adds an empty queue. `options` must be valid. The pointer is valid until Remove.
  BatchQueue* Add(const BatchQueue::Options& options);

  // Drains a queue and the spare one beside it.
  void Drain(BatchQueue* queue);
  // Returns true if nothing is queued in both, and every batch of them has been returned.
  bool idle(const BatchQueue* queue) const;
  // Removes a queue, which must be idle.
  void Remove(BatchQueue* queue);

  // Queues the job in the spare queue beside `queue`. Returns the errors of BatchQueue::Push.
  absl::Status PushSpare(BatchQueue* queue, Job* job, Instant now);

  // Returns the next batch, or only dropped jobs, of a queue that has either at `now`. Each slice
  // must be returned through Finish. Recycles the buffers of `reuse`, an earlier result.
  Batch Take(Instant now, Batch reuse);

  // Takes back a batch that Take returned, after it spent `compute` in an engine. See
  // BatchQueue::Finish.
  BatchQueue::Finished Finish(const Batch& batch, Instant now, absl::Duration compute,
                              BatchQueue::Finished reuse);

  // Returns the time at which Take will return the next batch: at once if the time is <= now.
  // InfiniteFuture if all queues are empty.
  Instant ReleaseTime() const;

  // Drains all queues, and those that are added later: from now on they reject jobs, and none waits
  // for max_delay.
  void Drain();

  // Returns true if nothing is queued.
  bool empty() const;
  // Returns the number of queued images in all queues together.
  int queued_images() const;

 private:
  struct Queue {
    std::unique_ptr<BatchQueue> main;
    std::unique_ptr<BatchQueue> spare;  // null until there is a job for it
  };
  Queue& Of(const BatchQueue* queue);
  const Queue& Of(const BatchQueue* queue) const;
  // Takes from the next queue that has something, of the spare ones or of the others.
  bool TakeNext(bool spare, Instant now, Batch* batch);

  std::vector<Queue> queues_;
  bool draining_ = false;
  std::size_t next_ = 0;  // the queue whose turn it is; < queues_.size() unless that is 0
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_
