#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hellocnn::server {

BatchQueue* Scheduler::Add(const BatchQueue::Options& options) {
  auto queue = std::make_unique<BatchQueue>(options);
  if (draining_) queue->Drain();
  queues_.emplace_back().main = std::move(queue);
  return queues_.back().main.get();
}

void Scheduler::Drain(BatchQueue* queue) {
  const Queue& of = Of(queue);
  of.main->Drain();
  if (of.spare != nullptr) of.spare->Drain();
}

bool Scheduler::idle(const BatchQueue* queue) const {
  const Queue& of = Of(queue);
  return of.main->idle() && (of.spare == nullptr || of.spare->idle());
}

void Scheduler::Remove(BatchQueue* queue) {
  assert(idle(queue));
  std::erase_if(queues_, [queue](const Queue& owned) { return owned.main.get() == queue; });
  next_ = 0;
}

absl::Status Scheduler::PushSpare(BatchQueue* queue, Job* job, Instant now) {
  Queue& of = Of(queue);
  if (of.spare == nullptr) {
    BatchQueue::Options options = queue->options();
    options.max_delay = absl::ZeroDuration();
    options.policy = QueuePolicy::kFifo;
    of.spare = std::make_unique<BatchQueue>(options);
    if (draining_ || queue->draining()) of.spare->Drain();
  }
  return of.spare->Push(job, now);
}

Scheduler::Batch Scheduler::Take(Instant now, Batch reuse) {
  Batch batch{.taken = std::move(reuse.taken)};
  if (!TakeNext(/*spare=*/false, now, &batch)) TakeNext(/*spare=*/true, now, &batch);
  return batch;
}

bool Scheduler::TakeNext(bool spare, Instant now, Batch* batch) {
  for (std::size_t tried = 0; tried < queues_.size(); ++tried) {
    const Queue& of = queues_[next_];
    next_ = next_ + 1 < queues_.size() ? next_ + 1 : 0;
    BatchQueue* const queue = spare ? of.spare.get() : of.main.get();
    if (queue == nullptr) continue;
    batch->taken = queue->Take(now, std::move(batch->taken));
    if (batch->taken.slices.empty() && batch->taken.dropped.empty()) continue;
    batch->queue = of.main.get();
    batch->spare = spare;
    batch->expected_compute = queue->ExpectedCompute(batch->taken.images);
    return true;
  }
  return false;
}

BatchQueue::Finished Scheduler::Finish(const Batch& batch, Instant now, absl::Duration compute,
                                       BatchQueue::Finished reuse) {
  BatchQueue& queue = batch.spare ? *Of(batch.queue).spare : *batch.queue;
  queue.OnComputed(batch.taken.images, compute);
  return queue.Finish(batch.taken, now, std::move(reuse));
}

Instant Scheduler::ReleaseTime() const {
  Instant earliest = Instant::InfiniteFuture();
  for (const Queue& queue : queues_) {
    earliest = std::min(earliest, queue.main->ReleaseTime());
    if (queue.spare != nullptr) earliest = std::min(earliest, queue.spare->ReleaseTime());
  }
  return earliest;
}

void Scheduler::Drain() {
  draining_ = true;
  for (const Queue& queue : queues_) Drain(queue.main.get());
}

bool Scheduler::empty() const {
  return std::all_of(queues_.begin(), queues_.end(), [](const Queue& queue) {
    return queue.main->empty() && (queue.spare == nullptr || queue.spare->empty());
  });
}

int Scheduler::queued_images() const {
  int images = 0;
  for (const Queue& queue : queues_) {
    images += queue.main->queued_images();
    if (queue.spare != nullptr) images += queue.spare->queued_images();
  }
  return images;
}

const Scheduler::Queue& Scheduler::Of(const BatchQueue* queue) const {
  return *std::find_if(queues_.begin(), queues_.end(),
                       [queue](const Queue& owned) { return owned.main.get() == queue; });
}

Scheduler::Queue& Scheduler::Of(const BatchQueue* queue) {
  return const_cast<Queue&>(std::as_const(*this).Of(queue));
}

}  // namespace hellocnn::server
