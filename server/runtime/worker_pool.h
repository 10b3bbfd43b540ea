// The server's threads: each handles events, which bring work, and does the work that is due. So a
// request is received, computed and responded to by one thread.
#ifndef HELLOCNN_SERVER_RUNTIME_WORKER_POOL_H_
#define HELLOCNN_SERVER_RUNTIME_WORKER_POOL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/runtime/event_queue.h"
#include "server/runtime/work.h"

namespace hellocnn::server {

// Work-conserving: a worker that has handled the events that there are takes what is due at once.
//
// Of the workers that have nothing to do, one waits for events and the others sleep: each event
// wakes one thread, and the same thread serves a lone call. A worker wakes another one when it has
// handled kFewEvents without a pause, leaves work for others, or will be away for longer than
// kShortRun while nobody waits for events. ADR 8 has the reasons.
//
// Events come before work, so that a queue shows all that waits and rejects what it cannot hold;
// but while something is due, a worker handles no more than `max_events` of them between two pieces
// of work, for no longer than half a millisecond or than its last piece of work took, whichever is
// longer. So events leave at least half of the time to long pieces of work, and what waits to be
// received behind them does not grow old. Nothing interrupts a piece of work, and a worker that
// runs one handles no events.
//
// Worker threads take denormal numbers for 0: FlushDenormals says why.
//
// Thread-safe.
class WorkerPool {
 public:
  // The work that a worker does without waking another: about as much as waking costs.
  static constexpr int kFewEvents = 4;
  static constexpr absl::Duration kShortRun = absl::Microseconds(50);

  // Starts `threads` workers. There are no events until Attach. `work` and `clock` outlive the
  // pool. INVALID_ARGUMENT: `threads` is less than 1. RESOURCE_EXHAUSTED: a thread does not start;
  // none is left then.
  static absl::StatusOr<std::unique_ptr<WorkerPool>> Start(int threads, int max_events, Work* work,
                                                           const Clock* clock);
  // Calls Stop.
  ~WorkerPool();

  // Lets the workers handle `events` from now on. They outlive the pool. Must be called once.
  void Attach(EventQueue* events) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `step(worker)` on each worker's thread, again and again, until it returns false there.
  // Between two steps the worker handles its events and one piece of work that is due, so a step
  // should be short. Blocks until every worker is through, and until callers before this one are.
  // Returns false, without a call of `step`, if the pool has stopped. Must not be called by a
  // worker of this pool.
  bool ForEachWorker(const std::function<bool(int worker)>& step)
      ABSL_LOCKS_EXCLUDED(mutex_, steps_mutex_);

  // Wakes every worker and blocks until each has come round to look for work, whatever else it does
  // in between, and returns true; or returns false at `deadline`. A step of ForEachWorker that is
  // under way elsewhere does not delay it. Must not be called by a worker of this pool, nor by two
  // threads at once, nor during Stop.
  bool AllRespond(Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Must be called after work has been added. Wakes a worker unless the caller is one, because that
  // one will take the work itself.
  void WorkAdded() ABSL_LOCKS_EXCLUDED(mutex_);

  // Closes the events, waits until those that are left are handled and no work is due, and ends the
  // workers. Idempotent. Must not be called by a worker of this pool.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  int size() const { return size_; }

 private:
  WorkerPool(int threads, int max_events, Work* work, const Clock* clock);

  // Runs on each worker's thread, until the pool stops.
  void Live(int worker) ABSL_LOCKS_EXCLUDED(mutex_);
  // Handles events until work is due and no event is left (kNothing), or too many were or they took
  // `most_time` (kEvent), or there will be none any more (kEnd).
  EventQueue::Got HandleEvents(int worker, absl::Duration most_time, Instant* busy_since)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until work is due, because there is nothing to do until then. Sleeps, and returns
  // kNothing, if another worker waits already.
  EventQueue::Got WaitForEvent(int worker, EventQueue::Event* event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Does one step of ForEachWorker; HasStep must be true.
  void DoStep(int worker) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasStep(int worker) const {
    return steps_[static_cast<std::size_t>(worker)].load(std::memory_order_acquire) != nullptr;
  }
  bool IsAsked(int worker) const {
    return asked_[static_cast<std::size_t>(worker)].load(std::memory_order_relaxed);
  }
  // Responds to AllRespond; IsAsked must be true.
  void Respond(int worker) ABSL_LOCKS_EXCLUDED(mutex_);
  // Wakes another worker if one is needed while this one runs a piece of work.
  void WakeBeforeRun(const Work::Taken& taken, bool caught_up) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns a worker that has nothing to do, preferably one that sleeps to the one that waits.
  enum class Idle { kNone, kSleeping, kWaiting };
  Idle WhoIsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake(Idle who);

  void ReportBusy(int worker, Instant now, Instant* since) const;

  using Step = std::function<bool(int worker)>;

  const int size_;
  const int max_events_;
  Work* const work_;
  const Clock* const clock_;
  std::atomic<EventQueue*> events_{nullptr};     // written once, under mutex_
  std::vector<std::atomic<const Step*>> steps_;  // by worker; null if there is none to do
  std::vector<std::atomic<bool>> asked_;         // by worker: to respond; written under mutex_

  Mutex steps_mutex_;  // held during ForEachWorker, before mutex_
  Mutex mutex_;
  CondVar changed_;                               // for workers that sleep
  CondVar stepped_;                               // for ForEachWorker
  CondVar responded_;                             // for AllRespond
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // a worker waits for events
  std::atomic<int> sleeping_{0};                  // workers that sleep; written under mutex_
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;    // there will be no events any more
  int stepping_ ABSL_GUARDED_BY(mutex_) = 0;      // workers that have steps to do
  int unheard_ ABSL_GUARDED_BY(mutex_) = 0;       // workers that have to respond
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;   // a worker has ended, so no step may begin

  std::once_flag joined_;  // of two that stop it at once, both return when all is done
  std::vector<std::thread> threads_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_WORKER_POOL_H_
