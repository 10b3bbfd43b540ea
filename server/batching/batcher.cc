#include "server/batching/batcher.h"

#include <algorithm>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/batching/mutex_lock.h"

namespace hellocnn::server {
namespace {

// What a worker needs to show its engine a batch as one span. Kept from batch to batch: no
// allocation once it has grown to the largest.
class Scratch {
 public:
  absl::Status Classify(Engine& engine, const BatchQueue::Taken& batch) {
    images_.clear();
    for (const Slice& slice : batch.slices) {
      const auto first = slice.job->job().images.begin() + slice.first;
      images_.insert(images_.end(), first, first + slice.count);
    }
    predictions_.resize(images_.size());
    if (absl::Status status = engine.Classify(images_, predictions_); !status.ok()) return status;
    auto from = predictions_.begin();
    for (const Slice& slice : batch.slices) {
      std::copy_n(from, slice.count, slice.job->predictions(slice.first, slice.count).begin());
      from += slice.count;
    }
    return absl::OkStatus();
  }

 private:
  std::vector<ImageView> images_;
  std::vector<Prediction> predictions_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Batcher>> Batcher::Start(int threads,
                                                        const BatchQueue::Options& options,
                                                        const EngineFactory& engines,
                                                        BatchObserver* observer) {
  if (threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("threads is ", threads, ", wanted at least 1"));
  }
  if (absl::Status status = BatchQueue::Validate(options); !status.ok()) return status;
  std::unique_ptr<Batcher> batcher(new Batcher(options, observer));
  // All engines before the first worker: what fails to load must not serve half of the load.
  for (int i = 0; i < threads; ++i) {
    absl::StatusOr<std::unique_ptr<Engine>> engine = engines();
    if (!engine.ok()) return engine.status();
    batcher->engines_.push_back(*std::move(engine));
  }
  for (const std::unique_ptr<Engine>& engine : batcher->engines_) {
    try {
      batcher->workers_.emplace_back(&Batcher::Work, batcher.get(),
                                     static_cast<int>(batcher->workers_.size()), std::ref(*engine));
    } catch (const std::system_error& error) {  // the destructor ends those that did start
      return absl::ResourceExhaustedError(absl::StrCat("worker thread ",
                                                       batcher->workers_.size() + 1, " of ",
                                                       threads, " does not start: ", error.what()));
    }
  }
  return batcher;
}

Batcher::Batcher(const BatchQueue::Options& options, BatchObserver* observer)
    : observer_(observer), queue_(options) {}

Batcher::~Batcher() { Drain(); }

absl::Status Batcher::Submit(std::shared_ptr<Job> job) {
  auto queued = std::make_shared<QueuedJob>(std::move(job));
  const absl::Time now = absl::Now();
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = queue_.Push(std::move(queued), now); !status.ok()) return status;
    // While somebody minds the clock, a batch that is not due needs nobody else.
    wake = sleeping_ > 0 && (!timekeeper_ || queue_.ReleaseTime() <= now);
  }
  if (wake) changed_.Signal();
  return absl::OkStatus();
}

void Batcher::Drain() {
  {
    MutexLock lock(&mutex_);
    queue_.Drain();
  }
  changed_.SignalAll();
  std::call_once(joined_, [this] {
    for (std::thread& worker : workers_) worker.join();
  });
}

int Batcher::queued_images() const {
  MutexLock lock(&mutex_);
  return queue_.queued_images();
}

void Batcher::Work(int worker, Engine& engine) {
  Scratch scratch;
  while (true) {
    const BatchQueue::Taken batch = NextBatch();
    Report(batch.dropped);
    if (batch.slices.empty()) {
      if (batch.dropped.empty()) return;
      continue;
    }
    const absl::Time start = absl::Now();
    const absl::Status status = scratch.Classify(engine, batch);
    const absl::Time end = absl::Now();
    if (observer_ != nullptr) observer_->OnBatch(worker, batch, end - start, status);
    std::vector<BatchQueue::Dropped> dropped;
    std::vector<std::shared_ptr<QueuedJob>> finished;
    {
      MutexLock lock(&mutex_);
      finished = queue_.Finish(batch, status, end, &dropped);
    }
    Report(dropped);
    for (const std::shared_ptr<QueuedJob>& job : finished) Report(*job);
  }
}

void Batcher::Report(const std::vector<BatchQueue::Dropped>& dropped) const {
  for (const BatchQueue::Dropped& drop : dropped) {
    if (observer_ != nullptr) observer_->OnDropped(drop);
    if (drop.finished) Report(*drop.job);
  }
}

void Batcher::Report(const QueuedJob& job) const {
  if (observer_ != nullptr && !job.status().ok() && job.computed() > 0) {
    observer_->OnAbandoned(job.computed());
  }
  job.Report();
}

BatchQueue::Taken Batcher::NextBatch() {
  bool wake = false;
  BatchQueue::Taken taken;
  {
    MutexLock lock(&mutex_);
    while (true) {
      taken = queue_.Take(absl::Now());
      if (!taken.slices.empty() || !taken.dropped.empty()) break;
      if (queue_.draining() && queue_.empty()) return taken;
      Sleep(lock, taken.ask_again);
    }
    // Submit woke one worker; what it leaves is for the next, who also minds the clock for what is
    // not due.
    wake = sleeping_ > 0 && !queue_.empty() && !timekeeper_;
    wake = wake || (sleeping_ > 0 && queue_.ReleaseTime() <= absl::Now());
  }
  if (wake) changed_.Signal();
  return taken;
}

void Batcher::Sleep(MutexLock& lock, absl::Time until) {
  const bool keep_time = !timekeeper_ && until != absl::InfiniteFuture();
  if (keep_time) timekeeper_ = true;
  ++sleeping_;
  lock.WaitUntil(&changed_, keep_time ? until : absl::InfiniteFuture());
  --sleeping_;
  if (keep_time) timekeeper_ = false;
}

}  // namespace hellocnn::server
