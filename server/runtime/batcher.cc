#include "server/runtime/batcher.h"

#include <algorithm>
#include <cstddef>
#include <future>
#include <span>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/denormals.h"
#include "base/mutex.h"

namespace hellocnn::server {
namespace {

// The batcher whose worker this thread is. It computes what it submits, so need not be woken.
thread_local const Batcher* works_for = nullptr;

// What a worker needs to show its engine a batch as one span. Kept from batch to batch: no
// allocation once it has grown to the largest.
class Scratch {
 public:
  // Runs the engine once. Each slice gets its rows and its status: what one job's images do to the
  // engine is not the others' fault.
  void Classify(Engine& engine, BatchQueue::Taken& batch) {
    images_.clear();
    for (const Slice& slice : batch.slices) {
      const auto first = slice.job->images().begin() + slice.first;
      images_.insert(images_.end(), first, first + slice.count);
    }
    const std::size_t classes = static_cast<std::size_t>(engine.classes());
    log_probabilities_.resize(images_.size() * classes);
    statuses_.resize(images_.size());
    engine.Classify(images_, log_probabilities_, statuses_);
    std::size_t from = 0;
    for (Slice& slice : batch.slices) {
      const std::size_t count = static_cast<std::size_t>(slice.count);
      const std::size_t first = static_cast<std::size_t>(slice.first);
      slice.status = StatusOf(std::span(statuses_).subspan(from, count), first);
      const std::span rows =
          std::span<const float>(log_probabilities_).subspan(from * classes, count * classes);
      std::copy(rows.begin(), rows.end(),
                slice.job->log_probabilities().subspan(first * classes, rows.size()).begin());
      from += count;
    }
  }

 private:
  // The first that is not OK, and which image of the job it is about: the first one is `first`.
  static absl::Status StatusOf(std::span<const absl::Status> statuses, std::size_t first) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      if (statuses[i].ok()) continue;
      return absl::Status(statuses[i].code(),
                          absl::StrCat("images[", first + i, "]: ", statuses[i].message()));
    }
    return absl::OkStatus();
  }

  std::vector<ImageView> images_;
  std::vector<float> log_probabilities_;
  std::vector<absl::Status> statuses_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Batcher>> Batcher::Start(
    int threads, const BatchQueue::Options& options, const EngineFactory& engines,
    EventQueue* events, const Reporting& reporting, const Clock* clock, const Prepare& prepare) {
  if (threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("threads is ", threads, ", wanted at least 1"));
  }
  if (absl::Status status = BatchQueue::Validate(options); !status.ok()) return status;
  std::unique_ptr<Batcher> batcher(new Batcher(options, events, clock));
  // All engines before the first worker: what fails to load must not serve half of the load.
  for (int i = 0; i < threads; ++i) {
    absl::StatusOr<std::unique_ptr<Engine>> engine = engines();
    if (!engine.ok()) return engine.status();
    batcher->engines_.push_back(*std::move(engine));
    batcher->reporters_.emplace_back(reporting);
  }
  // No worker begins before all have started: one that waits for events cannot be ended without
  // ending these.
  std::promise<bool> all_started;
  const std::shared_future<bool> begin = all_started.get_future().share();
  std::vector<std::thread>& workers = batcher->workers_;
  for (int i = 0; i < threads; ++i) {
    try {
      workers.emplace_back([batcher = batcher.get(), i, prepare, begin] {
        if (begin.get()) batcher->Work(i, prepare);
      });
    } catch (const std::system_error& error) {
      all_started.set_value(false);
      for (std::thread& worker : workers) worker.join();
      workers.clear();
      return absl::ResourceExhaustedError(absl::StrCat("worker thread ", i + 1, " of ", threads,
                                                       " does not start: ", error.what()));
    }
  }
  all_started.set_value(true);
  return batcher;
}

Batcher::Batcher(const BatchQueue::Options& options, EventQueue* events, const Clock* clock)
    : max_events_(kEventsPerImage * options.max_batch_size),
      events_(events),
      clock_(clock),
      queue_(options) {}

Batcher::~Batcher() { Drain(); }

absl::Status Batcher::Submit(Job* job) {
  const Instant now = clock_->Now();
  Idle wake = Idle::kNone;
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = queue_.Push(job, now); !status.ok()) return status;
    job->Accepted();
    if (works_for != this) wake = WhoIsIdle();
  }
  Wake(wake);
  return absl::OkStatus();
}

void Batcher::Drain() {
  {
    MutexLock lock(&mutex_);
    queue_.Drain();
  }
  // Without a worker, Start has failed, and they are still its caller's.
  if (!workers_.empty()) events_->Close();
  std::call_once(joined_, [this] {
    for (std::thread& worker : workers_) worker.join();
  });
}

int Batcher::queued_images() const {
  MutexLock lock(&mutex_);
  return queue_.queued_images();
}

void Batcher::Work(int worker, const Prepare& prepare) {
  FlushDenormals();
  Engine& engine = *engines_[static_cast<std::size_t>(worker)];
  BatchReporter& reporter = reporters_[static_cast<std::size_t>(worker)];
  if (prepare && !prepare(engine).ok()) return;
  works_for = this;
  Scratch scratch;
  BatchQueue::Taken batch;
  BatchQueue::Finished finished;
  Instant busy_since = clock_->Now();
  while (true) {
    const EventQueue::Got got = HandleEvents(worker, &busy_since);
    batch = Take(got != EventQueue::Got::kEvent, std::move(batch));
    Report(batch.dropped, reporter);
    if (batch.slices.empty()) {
      if (got == EventQueue::Got::kEnd && batch.dropped.empty()) return;
      continue;
    }
    const Instant start = clock_->Now();
    scratch.Classify(engine, batch);
    const Instant end = clock_->Now();
    reporter.OnBatch(batch, end - start);
    ReportBusy(worker, end, &busy_since);
    {
      MutexLock lock(&mutex_);
      finished = queue_.Finish(batch, end, std::move(finished));
      time_per_image_ = (end - start) / batch.images;
    }
    Report(finished.dropped, reporter);
    for (Job* job : finished.jobs) Report(*job, reporter);
  }
}

EventQueue::Got Batcher::HandleEvents(int worker, Instant* busy_since) {
  for (int handled = 0; handled < max_events_; ++handled) {
    bool idle = false;
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      idle = queue_.ReleaseTime() != Instant::InfinitePast();
      wake = handled == kFewEvents && sleeping_ > 0;
    }
    if (wake) changed_.Signal();
    EventQueue::Event event;
    EventQueue::Got got;
    if (idle) {
      ReportBusy(worker, clock_->Now(), busy_since);
      got = WaitForEvent(&event);
      *busy_since = clock_->Now();
    } else {
      got = events_->Wait(Instant::InfinitePast(), &event);
    }
    if (got == EventQueue::Got::kEnd) {
      MutexLock lock(&mutex_);
      ended_ = true;
      changed_.SignalAll();
    }
    if (got != EventQueue::Got::kEvent) return got;
    events_->Handle(event);
  }
  return EventQueue::Got::kEvent;
}

EventQueue::Got Batcher::WaitForEvent(EventQueue::Event* event) {
  Instant release;
  {
    MutexLock lock(&mutex_);
    if (ended_) return EventQueue::Got::kEnd;
    release = queue_.ReleaseTime();
    if (waiting_) {
      ++sleeping_;
      changed_.WaitUntil(&mutex_, release);
      --sleeping_;
      return EventQueue::Got::kNothing;
    }
    waiting_ = true;
  }
  const EventQueue::Got got = events_->Wait(release, event);
  MutexLock lock(&mutex_);
  waiting_ = false;
  return got;
}

BatchQueue::Taken Batcher::Take(bool caught_up, BatchQueue::Taken reuse) {
  Idle wake = Idle::kNone;
  BatchQueue::Taken taken;
  {
    MutexLock lock(&mutex_);
    taken = queue_.Take(clock_->Now(), std::move(reuse));
    if (taken.slices.empty()) return taken;
    // What is left may not be due yet: somebody must mind the clock while this worker computes.
    const bool leaves = !queue_.empty() || !caught_up;
    const bool away = !waiting_ && taken.images * time_per_image_ > kShortCompute;
    if (leaves || away) wake = WhoIsIdle();
  }
  Wake(wake);
  return taken;
}

Batcher::Idle Batcher::WhoIsIdle() const {
  if (sleeping_ > 0) return Idle::kSleeping;
  return waiting_ ? Idle::kWaiting : Idle::kNone;
}

void Batcher::Wake(Idle who) {
  if (who == Idle::kSleeping) changed_.Signal();
  if (who == Idle::kWaiting) events_->Wake();
}

void Batcher::ReportBusy(int worker, Instant now, Instant* since) const {
  const absl::Duration busy = now - std::exchange(*since, now);
  reporters_[static_cast<std::size_t>(worker)].OnBusy(worker, busy);
}

void Batcher::Report(const std::vector<BatchQueue::Dropped>& dropped,
                     const BatchReporter& reporter) {
  for (const BatchQueue::Dropped& drop : dropped) {
    reporter.OnDropped(drop);
    if (drop.finished != nullptr) Report(*drop.finished, reporter);
  }
}

void Batcher::Report(Job& job, const BatchReporter& reporter) {
  if (!job.status().ok() && job.computed() > 0) reporter.OnDiscarded(job.computed());
  job.Done();
}

}  // namespace hellocnn::server
