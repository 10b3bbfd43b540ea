// Which queue's images are computed next. Pure policy, like BatchQueue: it has no thread, no lock
// and no clock.
#ifndef HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_
#define HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "server/scheduling/batch_queue.h"

namespace hellocnn::server {

// Owns one BatchQueue for each model that is served, and chooses between them in turn: of the
// queues that have a batch due, the one after the last that gave one. So a model whose queue is
// long cannot keep the others waiting for more than one batch of each queue that stands between.
//
// Thread-compatible.
class Scheduler {
 public:
  // A batch of one queue.
  struct Batch {
    BatchQueue* queue = nullptr;  // null if nothing is due
    BatchQueue::Taken taken;
    // How long it will probably take to compute: the time per image of the queue's last batch, for
    // so many images. Infinite until the first batch of the queue has finished.
    absl::Duration expected_compute;
  };

  // Adds an empty queue. `options` must be valid. The pointer is valid until Remove.
  BatchQueue* Add(const BatchQueue::Options& options);

  // Removes a queue that is idle: nothing is queued, and every batch has come back.
  void Remove(BatchQueue* queue);

  // The next batch, or only dropped jobs, of a queue that has something due at `now`. Each slice
  // must come back through Finish. Recycles the buffers of `reuse`, an earlier result.
  Batch Take(Instant now, Batch reuse);

  // Takes back what Take has given, after `compute` in an engine. See BatchQueue::Finish.
  BatchQueue::Finished Finish(const Batch& batch, Instant now, absl::Duration compute,
                              BatchQueue::Finished reuse);

  // When Take will next give a batch: at once if it is not later than now, InfiniteFuture if all
  // queues are empty.
  Instant ReleaseTime() const;

  // From now on every queue rejects jobs, and none waits for max_delay.
  void Drain();

  // Returns true if nothing is queued.
  bool empty() const;
  // Images that are queued, in all queues together.
  int queued_images() const;

 private:
  struct Entry {
    explicit Entry(const BatchQueue::Options& options) : queue(options) {}
    BatchQueue queue;
    absl::Duration time_per_image = absl::InfiniteDuration();
  };
  Entry& EntryOf(const BatchQueue* queue);

  std::vector<std::unique_ptr<Entry>> entries_;
  std::size_t next_ = 0;  // the entry whose turn it is; < entries_.size() unless that is 0
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_SCHEDULER_H_
