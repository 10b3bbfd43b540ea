// Locks and waits that ThreadSanitizer can see.
//
// Distributions build Abseil without ThreadSanitizer, so it sees neither absl::Mutex's own atomics
// nor an annotation: every access under such a lock looks like a race. Suppressing those reports
// would suppress real ones too. These add, in ThreadSanitizer builds only, the one fact it lacks:
// who unlocks happens before who locks next.
#ifndef HELLOCNN_BASE_MUTEX_LOCK_H_
#define HELLOCNN_BASE_MUTEX_LOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#if defined(__SANITIZE_THREAD__)
#define HELLOCNN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HELLOCNN_TSAN 1
#endif
#endif

#ifdef HELLOCNN_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace hellocnn::server {

// absl::MutexLock, and waiting on a condition variable while holding it.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(absl::Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
    Acquired();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {
    Releasing();
    mutex_->Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  // May return early, like every wait on a condition variable.
  void WaitUntil(absl::CondVar* condition, absl::Time time) {
    Releasing();
    condition->WaitWithDeadline(mutex_, time);
    Acquired();
  }

 private:
#ifdef HELLOCNN_TSAN
  void Acquired() { __tsan_acquire(mutex_); }
  void Releasing() { __tsan_release(mutex_); }
#else
  void Acquired() {}
  void Releasing() {}
#endif

  absl::Mutex* const mutex_;
};

}  // namespace hellocnn::server

#undef HELLOCNN_TSAN

#endif  // HELLOCNN_BASE_MUTEX_LOCK_H_
