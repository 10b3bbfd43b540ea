#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hellocnn::server {

BatchQueue* Scheduler::Add(const BatchQueue::Options& options) {
  queues_.push_back(std::make_unique<BatchQueue>(options));
  if (draining_) queues_.back()->Drain();
  return queues_.back().get();
}

void Scheduler::Remove(BatchQueue* queue) {
  assert(queue->idle());
  std::erase_if(queues_, [queue](const auto& owned) { return owned.get() == queue; });
  next_ = 0;
}

Scheduler::Batch Scheduler::Take(Instant now, Batch reuse) {
  Batch batch{.taken = std::move(reuse.taken)};
  for (std::size_t tried = 0; tried < queues_.size(); ++tried) {
    BatchQueue& queue = *queues_[next_];
    next_ = next_ + 1 < queues_.size() ? next_ + 1 : 0;
    batch.taken = queue.Take(now, std::move(batch.taken));
    if (batch.taken.slices.empty() && batch.taken.dropped.empty()) continue;
    batch.queue = &queue;
    batch.expected_compute = queue.ExpectedCompute(batch.taken.images);
    break;
  }
  return batch;
}

BatchQueue::Finished Scheduler::Finish(const Batch& batch, Instant now, absl::Duration compute,
                                       BatchQueue::Finished reuse) {
  batch.queue->OnComputed(batch.taken.images, compute);
  return batch.queue->Finish(batch.taken, now, std::move(reuse));
}

Instant Scheduler::ReleaseTime() const {
  Instant earliest = Instant::InfiniteFuture();
  for (const auto& queue : queues_) earliest = std::min(earliest, queue->ReleaseTime());
  return earliest;
}

void Scheduler::Drain() {
  draining_ = true;
  for (const auto& queue : queues_) queue->Drain();
}

bool Scheduler::empty() const {
  return std::all_of(queues_.begin(), queues_.end(),
                     [](const auto& queue) { return queue->empty(); });
}

int Scheduler::queued_images() const {
  int images = 0;
  for (const auto& queue : queues_) images += queue->queued_images();
  return images;
}

}  // namespace hellocnn::server
