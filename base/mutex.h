// A mutex, a condition variable and a notification that wait by the monotonic clock.
//
// Those of Abseil turn every timeout into a deadline on the wall clock: with that set back by an
// hour, a wait of 30 s takes an hour longer. And distributions build Abseil without
// ThreadSanitizer, which then sees a race in every access under such a lock. The standard library
// has neither problem, but no annotations for Clang's thread-safety analysis: these add them.
#ifndef HELLOCNN_BASE_MUTEX_H_
#define HELLOCNN_BASE_MUTEX_H_

#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"

namespace hellocnn {

// Not recursive. Prefer MutexLock to Lock and Unlock.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds `mutex`, which outlives it, from construction to destruction.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// A condition variable. Waits may return early, so wait in a loop that checks the condition.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Blocks until it is signalled. The caller holds `mutex`, before and after, but not during the
  // wait.
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Does the same until `deadline` at the latest. Returns true if the deadline has passed.
  bool WaitUntil(Mutex* mutex, Instant deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (deadline == Instant::InfiniteFuture()) {
      Wait(mutex);
      return false;
    }
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    const std::cv_status status = condition_.wait_until(lock, deadline.ToSteady());
    lock.release();
    return status == std::cv_status::timeout;
  }

  void Signal() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// Something that happens once. Thread-safe.
class Notification {
 public:
  // Makes it happen. Has no effect if it has happened already. Must not race with the destructor.
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    notified_ = true;
    changed_.SignalAll();
  }
  bool HasBeenNotified() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return notified_;
  }
  // Blocks until it has happened.
  void Wait() const ABSL_LOCKS_EXCLUDED(mutex_) { WaitUntil(Instant::InfiniteFuture()); }
  // Blocks until it has happened, or until `deadline`. Returns true if it has happened.
  bool WaitUntil(Instant deadline) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (!notified_ && !changed_.WaitUntil(&mutex_, deadline)) {
    }
    return notified_;
  }

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_MUTEX_H_
