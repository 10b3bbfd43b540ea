#include "server/serving/batch_executor.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

void BatchExecutor::SetEngine(const BatchQueue* queue, std::unique_ptr<Engine> engine,
                              const Reporting& reporting) {
  RemoveEngine(queue);
  served_.push_back({queue, std::move(engine), BatchReporter(reporting)});
}

void BatchExecutor::RemoveEngine(const BatchQueue* queue) {
  std::erase_if(served_, [queue](const Served& served) { return served.queue == queue; });
}

Engine* BatchExecutor::engine(const BatchQueue* queue) const {
  for (const Served& served : served_) {
    if (served.queue == queue) return served.engine.get();
  }
  return nullptr;
}

BatchExecutor::Served* BatchExecutor::Find(const BatchQueue* queue) {
  return &*std::find_if(served_.begin(), served_.end(),
                        [queue](const Served& served) { return served.queue == queue; });
}

void BatchExecutor::Execute(Scheduler::Batch* batch) {
  Engine& engine = *Find(batch->queue)->engine;
  const std::size_t classes = static_cast<std::size_t>(engine.classes());
  images_.clear();
  for (const Slice& slice : batch->taken.slices) {
    const auto first = slice.job->images().begin() + slice.first;
    images_.insert(images_.end(), first, first + slice.count);
  }
  log_probabilities_.resize(images_.size() * classes);
  statuses_.resize(images_.size());
  engine.Classify(images_, log_probabilities_, statuses_);

  std::size_t from = 0;  // the slice's first image in the batch
  for (Slice& slice : batch->taken.slices) {
    const std::size_t count = static_cast<std::size_t>(slice.count);
    const std::span statuses = std::span(statuses_).subspan(from, count);
    const auto failed = std::find_if(statuses.begin(), statuses.end(),
                                     [](const absl::Status& status) { return !status.ok(); });
    if (failed == statuses.end()) {
      slice.status = absl::OkStatus();
      const std::span rows = std::span(log_probabilities_).subspan(from * classes, count * classes);
      std::copy(rows.begin(), rows.end(),
                slice.job->log_probabilities().begin() +
                    static_cast<std::ptrdiff_t>(static_cast<std::size_t>(slice.first) * classes));
    } else {
      slice.status = absl::Status(failed->code(),
                                  absl::StrCat("images[", slice.first + (failed - statuses.begin()),
                                               "]: ", failed->message()));
    }
    from += count;
  }
}

}  // namespace hellocnn::server
