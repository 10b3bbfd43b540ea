#include "server/serving/batch_dispatcher.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

// Infinite instants become the smallest and the largest number, and back.
std::int64_t ToNanoseconds(Instant time) { return absl::ToInt64Nanoseconds(time - Instant()); }

Instant FromNanoseconds(std::int64_t nanoseconds) {
  if (nanoseconds == std::numeric_limits<std::int64_t>::max()) return Instant::InfiniteFuture();
  if (nanoseconds == std::numeric_limits<std::int64_t>::min()) return Instant::InfinitePast();
  return Instant() + absl::Nanoseconds(nanoseconds);
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchDispatcher>> BatchDispatcher::Start(int threads,
                                                                        int max_batch_size,
                                                                        Events* events,
                                                                        const Clock* clock) {
  if (max_batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch_size is ", max_batch_size, ", wanted at least 1 image"));
  }
  std::unique_ptr<BatchDispatcher> dispatcher(
      new BatchDispatcher(threads, max_batch_size, events, clock));
  absl::StatusOr<std::unique_ptr<WorkerPool>> pool =
      WorkerPool::Start(threads, kEventsPerImage * max_batch_size, dispatcher.get(), clock);
  if (!pool.ok()) return pool.status();
  dispatcher->pool_ = *std::move(pool);
  return dispatcher;
}

BatchDispatcher::BatchDispatcher(int threads, int max_batch_size, Events* events,
                                 const Clock* clock)
    : max_batch_size_(max_batch_size),
      events_(events),
      clock_(clock),
      workers_(static_cast<std::size_t>(std::max(threads, 0))),
      due_(ToNanoseconds(Instant::InfiniteFuture())) {}

BatchDispatcher::~BatchDispatcher() { Stop(); }

absl::StatusOr<BatchQueue*> BatchDispatcher::AddQueue(const BatchQueue::Options& options,
                                                      ModelId model) {
  if (absl::Status status = BatchQueue::Validate(options); !status.ok()) return status;
  MutexLock lock(&mutex_);
  queues_.push_back({model, scheduler_.Add(options)});
  return queues_.back().queue;
}

void BatchDispatcher::RemoveQueue(BatchQueue* queue) {
  {
    MutexLock lock(&mutex_);
    scheduler_.Drain(queue);
    UpdateDue();
  }
  pool_->WorkAdded();  // what waited for max_delay is due now
  {
    MutexLock lock(&mutex_);
    while (!scheduler_.idle(queue)) idle_.Wait(&mutex_);
  }
  // A worker may still be about to tell the last jobs; its step comes after that.
  const bool removed = pool_->ForEachWorker([&](int worker) {
    executor(worker).RemoveEngine(queue);
    return false;
  });
  if (!removed) return;
  MutexLock lock(&mutex_);
  std::erase_if(queues_, [queue](const Queue& known) { return known.queue == queue; });
  scheduler_.Remove(queue);
}

absl::Status BatchDispatcher::Submit(BatchQueue* queue, Job* job) {
  const Instant now = clock_->Now();
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = queue->Push(job, now); !status.ok()) return status;
    job->Accepted();
    UpdateDue();
  }
  pool_->WorkAdded();
  return absl::OkStatus();
}

absl::Status BatchDispatcher::SubmitSpare(BatchQueue* queue, Job* job) {
  const Instant now = clock_->Now();
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = scheduler_.PushSpare(queue, job, now); !status.ok()) return status;
    job->Accepted();
    UpdateDue();
  }
  pool_->WorkAdded();
  return absl::OkStatus();
}

bool BatchDispatcher::HasSpareTime() const {
  MutexLock lock(&mutex_);
  return scheduler_.queued_images() < max_batch_size_;
}

void BatchDispatcher::Stop() {
  {
    MutexLock lock(&mutex_);
    scheduler_.Drain();
    UpdateDue();
  }
  if (pool_ == nullptr) return;
  pool_->WorkAdded();  // what waited for max_delay is due now
  pool_->Stop();
}

int BatchDispatcher::queued_images() const {
  MutexLock lock(&mutex_);
  return scheduler_.queued_images();
}

int BatchDispatcher::queued_images(ModelId model) const {
  MutexLock lock(&mutex_);
  int images = 0;
  for (const Queue& queue : queues_) {
    if (queue.model == model) images += queue.queue->queued_images();
  }
  return images;
}

Instant BatchDispatcher::DueTime() const { return FromNanoseconds(due_.load()); }

void BatchDispatcher::UpdateDue() { due_ = ToNanoseconds(scheduler_.ReleaseTime()); }

Work::Taken BatchDispatcher::Take(int worker) {
  Worker& mine = workers_[static_cast<std::size_t>(worker)];
  bool more;
  {
    MutexLock lock(&mutex_);
    mine.batch = scheduler_.Take(clock_->Now(), std::move(mine.batch));
    UpdateDue();
    more = !scheduler_.empty();
    if (mine.batch.queue != nullptr && scheduler_.idle(mine.batch.queue)) idle_.SignalAll();
  }
  if (mine.batch.queue == nullptr) return {};
  Report(mine.batch.taken.dropped,
         mine.batch.spare ? nullptr : &mine.executor.reporter(mine.batch.queue));
  if (mine.batch.taken.slices.empty()) return {.reported = true, .more = more};
  return {.found = true, .more = more, .expected = mine.batch.expected_compute};
}

void BatchDispatcher::Run(int worker) {
  Worker& mine = workers_[static_cast<std::size_t>(worker)];
  BatchQueue* const queue = mine.batch.queue;
  BatchReporter& reporter = mine.executor.reporter(queue);
  const Instant start = clock_->Now();
  mine.executor.Execute(&mine.batch);
  const Instant end = clock_->Now();
  if (mine.batch.spare) {
    reporter.OnSpareBatch(mine.batch.taken, end - start);
  } else {
    reporter.OnBatch(mine.batch.taken, end - start);
  }
  {
    MutexLock lock(&mutex_);
    mine.finished = scheduler_.Finish(mine.batch, end, end - start, std::move(mine.finished));
    UpdateDue();
    if (scheduler_.idle(queue)) idle_.SignalAll();
  }
  const BatchReporter* const listener = mine.batch.spare ? nullptr : &reporter;
  Report(mine.finished.dropped, listener);
  for (Job* job : mine.finished.jobs) Report(*job, listener);
}

void BatchDispatcher::Report(const std::vector<BatchQueue::Dropped>& dropped,
                             const BatchReporter* reporter) {
  for (const BatchQueue::Dropped& drop : dropped) {
    if (reporter != nullptr) reporter->OnDropped(drop);
    if (drop.finished != nullptr) Report(*drop.finished, reporter);
  }
}

void BatchDispatcher::Report(Job& job, const BatchReporter* reporter) {
  if (reporter != nullptr && !job.status().ok() && job.computed() > 0) {
    reporter->OnDiscarded(job.computed());
  }
  job.OnFinished();
}

}  // namespace hellocnn::server
