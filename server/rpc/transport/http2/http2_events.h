// The events of the transport on HTTP/2: which connection is to be worked on next. They come from
// epoll, from timers, and from threads that have something to send.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_EVENTS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_EVENTS_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/transport/http2/timer_heap.h"
#include "server/runtime/event_queue.h"

namespace hellocnn::server {

class Http2Events;

// Something that runs on workers, on one at a time, each time that it was scheduled. While it runs,
// it may use its state without a lock. Owned by shared pointers.
class Task : public std::enable_shared_from_this<Task>, public Timer {
 public:
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // Lets the task run once more after this call. Several calls may count as one until it runs.
  // Thread-safe.
  void Schedule();

 protected:
  // `events` outlives the task.
  explicit Task(Http2Events* events) : events_(events) {}

  // `io` has the events of epoll since the last run; 0 if there are none.
  virtual void Run(std::uint32_t io) = 0;

  Http2Events* events() const { return events_; }

 private:
  friend class Http2Events;
  enum State { kIdle, kScheduled, kRunning, kRunningAgain };

  Http2Events* const events_;
  std::uint64_t key_ = 0;  // of its descriptor
  std::atomic<State> state_{kIdle};
  std::atomic<std::uint32_t> io_{0};
  // In the list of tasks that are scheduled.
  std::shared_ptr<Task> self_;
  Task* next_ = nullptr;
};

// Thread-safe.
class Http2Events final : public EventQueue {
 public:
  // RESOURCE_EXHAUSTED: no descriptor is left.
  static absl::StatusOr<std::unique_ptr<Http2Events>> Create();
  ~Http2Events() override;

  Got Wait(Instant until, Event* event) override;
  void Handle(const Event& event) override;
  bool TakeReady(Event* event) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Wake() override;
  void Close() override;

  // Runs the tasks that are scheduled, on the calling thread, when no other thread handles events.
  void RunRest();

  // Schedules `task` when something can be read from `descriptor` or written to it, each time once
  // (edge-triggered), until Remove. A task has one descriptor at most. Returns an error of the
  // system.
  absl::Status Add(int descriptor, std::shared_ptr<Task> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Must be called before the descriptor is closed.
  void Remove(int descriptor, Task* task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Schedules `task` at `at`, or a little later. Replaces the time that was set before;
  // InfiniteFuture sets none. A task must have none when it goes.
  void SetTimer(Task* task, Instant at) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class Task;

  Http2Events(int epoll, int wake) : epoll_(epoll), wake_(wake) {}

  void Push(Task* task) ABSL_LOCKS_EXCLUDED(mutex_);
  void PushLocked(Task* task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Pop(Event* event) ABSL_LOCKS_EXCLUDED(mutex_);
  bool PopLocked(Event* event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if it is time to ask epoll although tasks are scheduled: tasks that schedule
  // themselves, for peers that never stop sending, must not keep the others from being found.
  bool MustPoll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Schedules the task, whatever it does at present. Returns true if it must be pushed.
  static bool MarkScheduled(Task* task);
  // Asks epoll, and waits until `until`. Returns true if Wake was called.
  bool Poll(Instant until) ABSL_LOCKS_EXCLUDED(mutex_);

  const int epoll_;
  const int wake_;  // an eventfd
  std::atomic<bool> waking_{false};
  std::atomic<bool> closed_{false};

  Mutex mutex_;
  Task* first_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the tasks that are scheduled
  Task* last_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // Since the last poll, a task was scheduled again while it ran.
  bool has_more_ ABSL_GUARDED_BY(mutex_) = false;
  // The last poll found all that there was, so the next one may be left out.
  bool polled_ ABSL_GUARDED_BY(mutex_) = false;
  // A descriptor may be closed, and its task gone, while another thread has its event in hand. So
  // epoll knows tasks by keys that are never used again.
  absl::flat_hash_map<std::uint64_t, std::shared_ptr<Task>> tasks_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_key_ ABSL_GUARDED_BY(mutex_) = 1;
  TimerHeap<Task> timers_ ABSL_GUARDED_BY(mutex_);
  // Until when a thread waits; InfinitePast if none does.
  Instant waiting_until_ ABSL_GUARDED_BY(mutex_) = Instant::InfinitePast();
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_EVENTS_H_
