#include "server/rpc/transport/http2/http2_events.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::server {
namespace {

constexpr std::uint64_t kWakeKey = 0;
constexpr std::size_t kMostEvents = 64;

// The queue whose events this thread handles. What such a thread schedules, it will see by itself.
thread_local const Http2Events* current_events = nullptr;

// Like epoll_wait, with a timeout in nanoseconds where the kernel has it (Linux 5.11).
int WaitForEpoll(int epoll, std::span<epoll_event> events, absl::Duration timeout) {
  const int most = static_cast<int>(events.size());
  if (timeout <= absl::ZeroDuration()) return epoll_wait(epoll, events.data(), most, 0);
  if (timeout == absl::InfiniteDuration()) return epoll_wait(epoll, events.data(), most, -1);
  const timespec left = absl::ToTimespec(timeout);
  const int count = epoll_pwait2(epoll, events.data(), most, &left, nullptr);
  if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
  const absl::Duration rounded = std::min(timeout + absl::Milliseconds(1), absl::Hours(1));
  return epoll_wait(epoll, events.data(), most,
                    static_cast<int>(absl::ToInt64Milliseconds(rounded)));
}

}  // namespace

void Task::Schedule() {
  if (Http2Events::MarkScheduled(this)) events_->Push(this);
}

absl::StatusOr<std::unique_ptr<Http2Events>> Http2Events::Create() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return absl::ErrnoToStatus(errno, "no epoll descriptor");
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    const int error = errno;
    close(epoll);
    return absl::ErrnoToStatus(error, "no event descriptor");
  }
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeKey}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event);
  return std::unique_ptr<Http2Events>(new Http2Events(epoll, wake));
}

Http2Events::~Http2Events() {
  close(epoll_);
  close(wake_);
}

void Http2Events::RunRest() {
  current_events = this;
  Event event;
  while (Pop(&event)) Handle(event);
  current_events = nullptr;
}

absl::Status Http2Events::Add(int descriptor, std::shared_ptr<Task> task) {
  Task* const added = task.get();
  {
    MutexLock lock(&mutex_);
    added->key_ = next_key_++;
    tasks_[added->key_] = std::move(task);
  }
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    .data = {.u64 = added->key_}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0) return absl::OkStatus();
  const int error = errno;
  MutexLock lock(&mutex_);
  tasks_.erase(added->key_);
  return absl::ErrnoToStatus(error, "epoll does not take the descriptor");
}

void Http2Events::Remove(int descriptor, Task* task) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  std::shared_ptr<Task> last;  // goes without the lock
  MutexLock lock(&mutex_);
  const auto found = tasks_.find(task->key_);
  if (found == tasks_.end()) return;
  last = std::move(found->second);
  tasks_.erase(found);
}

void Http2Events::SetTimer(Task* task, Instant at) {
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    timers_.Set(task, at);
    wake = at < waiting_until_;
  }
  if (wake) Wake();
}

bool Http2Events::MarkScheduled(Task* task) {
  Task::State state = task->state_.load(std::memory_order_relaxed);
  while (true) {
    if (state == Task::kScheduled || state == Task::kRunningAgain) {
      // Whoever runs it next must see what the caller has written before.
      if (task->state_.compare_exchange_weak(state, state, std::memory_order_acq_rel)) return false;
      continue;
    }
    const Task::State next = state == Task::kIdle ? Task::kScheduled : Task::kRunningAgain;
    if (task->state_.compare_exchange_weak(state, next, std::memory_order_acq_rel)) {
      return next == Task::kScheduled;
    }
  }
}

void Http2Events::Push(Task* task) {
  {
    MutexLock lock(&mutex_);
    PushLocked(task);
  }
  if (current_events != this) Wake();
}

void Http2Events::PushLocked(Task* task) {
  task->self_ = task->shared_from_this();
  task->next_ = nullptr;
  (first_ == nullptr ? first_ : last_->next_) = task;
  last_ = task;
}

bool Http2Events::Pop(Event* event) {
  MutexLock lock(&mutex_);
  return PopLocked(event);
}

bool Http2Events::MustPoll() { return first_ != nullptr && has_more_; }

bool Http2Events::TakeReady(Event* event) {
  bool must_poll;
  {
    MutexLock lock(&mutex_);
    must_poll = MustPoll();
  }
  if (must_poll && Poll(Instant::InfinitePast())) Wake();  // that was for Wait
  return Pop(event);
}

bool Http2Events::PopLocked(Event* event) {
  if (first_ == nullptr) return false;
  event->tag = first_;
  event->ok = true;
  first_ = first_->next_;
  return true;
}

EventQueue::Got Http2Events::Wait(Instant until, Event* event) {
  current_events = this;
  bool must_poll;
  {
    MutexLock lock(&mutex_);
    must_poll = MustPoll();
    if (must_poll) {
      until = Instant::InfinitePast();
    } else if (PopLocked(event)) {
      return Got::kEvent;
    } else if (until == Instant::InfinitePast() && std::exchange(polled_, false)) {
      return Got::kNothing;
    }
  }
  if (closed_ && !must_poll) {
    Wake();  // the next thread, until all know
    current_events = nullptr;
    return Got::kEnd;
  }
  if (Poll(until)) return Got::kNothing;
  return Pop(event) ? Got::kEvent : Got::kNothing;
}

bool Http2Events::Poll(Instant until) {
  const bool blocks = until != Instant::InfinitePast();
  absl::Duration timeout;
  if (blocks) {
    MutexLock lock(&mutex_);
    if (first_ != nullptr) return false;
    waiting_until_ = std::min(until, timers_.first_time());
    timeout = waiting_until_ - Clock::Monotonic()->Now();
  }
  std::array<epoll_event, kMostEvents> events;
  const int count = WaitForEpoll(epoll_, events, timeout);
  bool woken = false;
  MutexLock lock(&mutex_);
  has_more_ = false;
  if (blocks) waiting_until_ = Instant::InfinitePast();
  for (int i = 0; i < count; ++i) {
    // Copies, because an epoll_event is packed.
    const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
    const std::uint32_t io = events[static_cast<std::size_t>(i)].events;
    if (key == kWakeKey) {
      std::uint64_t ignored;
      if (read(wake_, &ignored, sizeof ignored) > 0) waking_ = false;
      woken = true;
      continue;
    }
    const auto found = tasks_.find(key);
    if (found == tasks_.end()) continue;
    Task* const task = found->second.get();
    task->io_.fetch_or(io, std::memory_order_relaxed);
    if (MarkScheduled(task)) PushLocked(task);
  }
  polled_ = count > 0 && static_cast<std::size_t>(count) < kMostEvents;
  if (!timers_.empty()) {
    const Instant now = Clock::Monotonic()->Now();
    while (timers_.first_time() <= now) {
      Task* const task = timers_.first();
      timers_.Set(task, Instant::InfiniteFuture());
      if (MarkScheduled(task)) PushLocked(task);
    }
  }
  return woken;
}

void Http2Events::Handle(const Event& event) {
  auto* const task = static_cast<Task*>(event.tag);
  const std::shared_ptr<Task> self = std::move(task->self_);
  task->state_.store(Task::kRunning, std::memory_order_relaxed);
  task->Run(task->io_.exchange(0, std::memory_order_acq_rel));
  Task::State state = Task::kRunning;
  if (task->state_.compare_exchange_strong(state, Task::kIdle, std::memory_order_acq_rel)) return;
  task->state_.store(Task::kScheduled, std::memory_order_release);
  MutexLock lock(&mutex_);
  PushLocked(task);
  has_more_ = true;
}

void Http2Events::Wake() {
  if (waking_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
}

void Http2Events::Close() {
  closed_ = true;
  Wake();
}

}  // namespace hellocnn::server
