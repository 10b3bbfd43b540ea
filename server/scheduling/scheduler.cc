#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hellocnn::server {

BatchQueue* Scheduler::Add(const BatchQueue::Options& options) {
  entries_.push_back(std::make_unique<Entry>(options));
  if (draining_) entries_.back()->queue.Drain();
  return &entries_.back()->queue;
}

void Scheduler::Remove(BatchQueue* queue) {
  assert(queue->idle());
  std::erase_if(entries_, [queue](const auto& entry) { return &entry->queue == queue; });
  next_ = 0;
}

Scheduler::Batch Scheduler::Take(Instant now, Batch reuse) {
  Batch batch{.taken = std::move(reuse.taken)};
  for (std::size_t tried = 0; tried < entries_.size(); ++tried) {
    Entry& entry = *entries_[next_];
    next_ = next_ + 1 < entries_.size() ? next_ + 1 : 0;
    batch.taken = entry.queue.Take(now, std::move(batch.taken));
    if (batch.taken.slices.empty() && batch.taken.dropped.empty()) continue;
    batch.queue = &entry.queue;
    batch.expected_compute = batch.taken.images * entry.time_per_image;
    break;
  }
  return batch;
}

BatchQueue::Finished Scheduler::Finish(const Batch& batch, Instant now, absl::Duration compute,
                                       BatchQueue::Finished reuse) {
  EntryOf(batch.queue).time_per_image = compute / batch.taken.images;
  return batch.queue->Finish(batch.taken, now, std::move(reuse));
}

Instant Scheduler::ReleaseTime() const {
  Instant earliest = Instant::InfiniteFuture();
  for (const auto& entry : entries_) earliest = std::min(earliest, entry->queue.ReleaseTime());
  return earliest;
}

void Scheduler::Drain() {
  draining_ = true;
  for (const auto& entry : entries_) entry->queue.Drain();
}

bool Scheduler::empty() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry->queue.empty(); });
}

int Scheduler::queued_images() const {
  int images = 0;
  for (const auto& entry : entries_) images += entry->queue.queued_images();
  return images;
}

Scheduler::Entry& Scheduler::EntryOf(const BatchQueue* queue) {
  return **std::find_if(entries_.begin(), entries_.end(),
                        [queue](const auto& entry) { return &entry->queue == queue; });
}

}  // namespace hellocnn::server
