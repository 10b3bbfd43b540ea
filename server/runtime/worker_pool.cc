#include "server/runtime/worker_pool.h"

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/denormals.h"

namespace hellocnn::server {
namespace {

// How often ForEachWorker and AllRespond wake the worker that waits for events.
constexpr absl::Duration kWakeAgain = absl::Milliseconds(5);

// The most events that a worker handles between two steps.
constexpr int kEventsPerStep = 64;

// The time that events may always take between two pieces of work. It is enough to read what fills
// a batch.
constexpr absl::Duration kEventTime = absl::Microseconds(500);

// The pool whose worker this thread is.
thread_local const WorkerPool* current_pool = nullptr;

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerPool>> WorkerPool::Start(int threads, int max_events,
                                                              Work* work, const Clock* clock) {
  if (threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("threads is ", threads, ", wanted at least 1"));
  }
  std::unique_ptr<WorkerPool> pool(new WorkerPool(threads, max_events, work, clock));
  for (int worker = 0; worker < threads; ++worker) {
    try {
      pool->threads_.emplace_back([pool = pool.get(), worker] { pool->Live(worker); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("worker thread ", worker + 1, " of ",
                                                       threads, " does not start: ", error.what()));
    }
  }
  return pool;
}

WorkerPool::WorkerPool(int threads, int max_events, Work* work, const Clock* clock)
    : size_(threads),
      max_events_(max_events),
      work_(work),
      clock_(clock),
      steps_(static_cast<std::size_t>(threads)),
      asked_(static_cast<std::size_t>(threads)) {}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Attach(EventQueue* events) {
  MutexLock lock(&mutex_);
  events_ = events;
  changed_.SignalAll();
}

bool WorkerPool::ForEachWorker(const std::function<bool(int worker)>& step) {
  MutexLock one_at_a_time(&steps_mutex_);
  {
    MutexLock lock(&mutex_);
    if (ending_) return false;
    stepping_ = size_;
    for (std::atomic<const Step*>& mine : steps_) mine.store(&step, std::memory_order_release);
    changed_.SignalAll();
  }
  // The worker that waits for events is woken through them. Another worker that looks for events at
  // that moment may get the wake-up instead, so it is repeated until all are through.
  while (true) {
    if (EventQueue* const events = events_; events != nullptr) events->Wake();
    MutexLock lock(&mutex_);
    const Instant again = clock_->Now() + kWakeAgain;
    while (stepping_ > 0 && !stepped_.WaitUntil(&mutex_, again)) {
    }
    if (stepping_ == 0) return true;
  }
}

bool WorkerPool::AllRespond(Instant deadline) {
  {
    MutexLock lock(&mutex_);
    // Those that have not responded to the last call have their question still.
    for (std::atomic<bool>& mine : asked_) {
      if (!mine.exchange(true, std::memory_order_relaxed)) ++unheard_;
    }
    changed_.SignalAll();
  }
  // As in ForEachWorker, the wake-up may go to another worker.
  while (true) {
    if (EventQueue* const events = events_; events != nullptr) events->Wake();
    MutexLock lock(&mutex_);
    const Instant now = clock_->Now();
    const Instant again = std::min(deadline, now + kWakeAgain);
    while (unheard_ > 0 && !responded_.WaitUntil(&mutex_, again)) {
    }
    if (unheard_ == 0) return true;
    if (now >= deadline) return false;
  }
}

void WorkerPool::Respond(int worker) {
  MutexLock lock(&mutex_);
  asked_[static_cast<std::size_t>(worker)].store(false, std::memory_order_relaxed);
  if (--unheard_ == 0) responded_.SignalAll();
}

void WorkerPool::WorkAdded() {
  if (current_pool == this) return;
  Idle idle;
  {
    MutexLock lock(&mutex_);
    idle = WhoIsIdle();
  }
  Wake(idle);
}

void WorkerPool::Stop() {
  if (EventQueue* const events = events_; events != nullptr) {
    events->Close();
  } else {
    MutexLock lock(&mutex_);
    ended_ = true;
    changed_.SignalAll();
  }
  std::call_once(joined_, [this] {
    for (std::thread& thread : threads_) thread.join();
  });
}

void WorkerPool::Live(int worker) {
  FlushDenormals();
  current_pool = this;
  Instant busy_since = clock_->Now();
  absl::Duration event_time = kEventTime;
  while (true) {
    if (IsAsked(worker)) Respond(worker);
    const EventQueue::Got got = HandleEvents(worker, event_time, &busy_since);
    const bool caught_up = got != EventQueue::Got::kEvent;
    const Work::Taken taken = work_->Take(worker);
    if (taken.found) {
      WakeBeforeRun(taken, caught_up);
      const Instant start = clock_->Now();
      work_->Run(worker);
      const Instant end = clock_->Now();
      event_time = std::max(end - start, kEventTime);
      ReportBusy(worker, end, &busy_since);
    }
    if (HasStep(worker)) {
      // A step may take long, and is no work: it does not count as busy.
      WakeBeforeRun({.more = taken.more, .expected = absl::InfiniteDuration()}, caught_up);
      ReportBusy(worker, clock_->Now(), &busy_since);
      DoStep(worker);
      busy_since = clock_->Now();
    } else if (got == EventQueue::Got::kEnd && !taken.found && !taken.reported) {
      MutexLock lock(&mutex_);
      if (HasStep(worker)) continue;
      ending_ = true;
      return;
    }
  }
}

EventQueue::Got WorkerPool::HandleEvents(int worker, absl::Duration most_time,
                                         Instant* busy_since) {
  const int most = HasStep(worker) ? std::min(max_events_, kEventsPerStep) : max_events_;
  Instant due_since = Instant::InfiniteFuture();
  for (int handled = 0; handled < most; ++handled) {
    if (handled == kFewEvents && sleeping_.load(std::memory_order_relaxed) > 0) {
      // Whoever is counted sleeps, once the mutex could be had.
      { MutexLock lock(&mutex_); }
      changed_.Signal();
    }
    EventQueue::Event event;
    EventQueue::Got got = EventQueue::Got::kNothing;
    if (work_->DueTime() != Instant::InfinitePast() && !HasStep(worker)) {
      ReportBusy(worker, clock_->Now(), busy_since);
      got = WaitForEvent(worker, &event);
      *busy_since = clock_->Now();
    } else if (EventQueue* const events = events_; events != nullptr) {
      const Instant now = clock_->Now();
      due_since = std::min(due_since, now);
      if (now - due_since >= most_time) return EventQueue::Got::kEvent;
      got = events->Wait(Instant::InfinitePast(), &event);
    } else {
      MutexLock lock(&mutex_);
      if (ended_) got = EventQueue::Got::kEnd;
    }
    if (got == EventQueue::Got::kEnd) {
      MutexLock lock(&mutex_);
      ended_ = true;
      changed_.SignalAll();
    }
    if (got != EventQueue::Got::kEvent) return got;
    events_.load()->Handle(event);
  }
  return EventQueue::Got::kEvent;
}

EventQueue::Got WorkerPool::WaitForEvent(int worker, EventQueue::Event* event) {
  Instant until;
  EventQueue* const events = events_;
  if (events != nullptr && events->TakeReady(event)) return EventQueue::Got::kEvent;
  {
    MutexLock lock(&mutex_);
    if (ended_) return EventQueue::Got::kEnd;
    // Asked again under the mutex: whoever adds work, a step or a question now will find this
    // worker idle.
    until = work_->DueTime();
    if (until == Instant::InfinitePast() || HasStep(worker) || IsAsked(worker)) {
      return EventQueue::Got::kNothing;
    }
    if (waiting_ || events == nullptr) {
      if (events == events_) {
        ++sleeping_;
        changed_.WaitUntil(&mutex_, until);
        --sleeping_;
      }
      return EventQueue::Got::kNothing;
    }
    waiting_ = true;
  }
  const EventQueue::Got got = events->Wait(until, event);
  MutexLock lock(&mutex_);
  waiting_ = false;
  return got;
}

void WorkerPool::DoStep(int worker) {
  std::atomic<const Step*>& mine = steps_[static_cast<std::size_t>(worker)];
  if ((*mine.load(std::memory_order_acquire))(worker)) return;
  MutexLock lock(&mutex_);
  mine.store(nullptr, std::memory_order_release);
  if (--stepping_ == 0) stepped_.SignalAll();
}

void WorkerPool::WakeBeforeRun(const Work::Taken& taken, bool caught_up) {
  Idle idle = Idle::kNone;
  {
    MutexLock lock(&mutex_);
    // What is left may not be due yet: somebody must mind the clock while this worker is away.
    const bool leaves = taken.more || !caught_up;
    const bool away = !waiting_ && taken.expected > kShortRun;
    if (leaves || away) idle = WhoIsIdle();
  }
  Wake(idle);
}

WorkerPool::Idle WorkerPool::WhoIsIdle() const {
  if (sleeping_.load(std::memory_order_relaxed) > 0) return Idle::kSleeping;
  return waiting_ ? Idle::kWaiting : Idle::kNone;
}

void WorkerPool::Wake(Idle who) {
  if (who == Idle::kSleeping) changed_.Signal();
  if (who == Idle::kWaiting) events_.load()->Wake();
}

void WorkerPool::ReportBusy(int worker, Instant now, Instant* since) const {
  work_->OnBusy(worker, now - std::exchange(*since, now));
}

}  // namespace hellocnn::server
