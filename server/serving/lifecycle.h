// The state of the server between its start and its end. No other place keeps it: code that needs
// the state reads it here, and code that acts on a change observes it.
#ifndef HELLOCNN_SERVER_SERVING_LIFECYCLE_H_
#define HELLOCNN_SERVER_SERVING_LIFECYCLE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"

namespace hellocnn::server {

enum class LifecycleState {
  kLoading,   // the model is loaded, verified and warmed up; calls are rejected
  kServing,   // calls are admitted
  kLeaving,   // calls are still admitted, and whoever asks is told to go elsewhere
  kDraining,  // calls are rejected, and those that were admitted finish
  kStopped,   // no call is left, and there will be none
};

// Returns "loading", "serving", "leaving", "draining" or "stopped".
const char* NameOf(LifecycleState state);

// A state machine that goes forward only:
//
//   loading -> serving -> leaving -> draining -> stopped
//   loading -> draining                          the server was told to stop, or could not load
//   serving -> draining                          nobody is given time to go elsewhere
//
// Thread-safe. Must outlive its observations.
class Lifecycle {
 public:
  // Called with each state that the lifecycle enters, one call at a time, on the thread that
  // changed the state or on one that changes it at the same time. No lock is held, so an observer
  // may call every function of the lifecycle. It must not wait for another thread that changes
  // the state or ends an observation, because that thread may wait for this observer.
  using Observer = std::function<void(LifecycleState state)>;

  // Keeps an observer registered until it is destroyed. The destructor blocks while the observer is
  // called on another thread; afterwards it is not called any more.
  class Observation {
   public:
    ~Observation();
    Observation(const Observation&) = delete;
    Observation& operator=(const Observation&) = delete;

   private:
    friend class Lifecycle;
    Observation(Lifecycle* lifecycle, const void* observer)
        : lifecycle_(lifecycle), observer_(observer) {}
    Lifecycle* const lifecycle_;
    const void* const observer_;
  };

  Lifecycle() = default;
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  // Returns the current state. Never blocks.
  LifecycleState state() const { return state_.load(std::memory_order_acquire); }

  // Changes the state and tells every observer, in the order in which they were added. Blocks until
  // all have been told, unless an observer calls it: then they are told after that observer
  // returns.
  //
  // FAILED_PRECONDITION names both states if the transition is not one of those above; nothing
  // changes then. That is no programming error: if the end of loading and a signal to stop race,
  // the one that comes second learns it from this status.
  absl::Status Enter(LifecycleState next) ABSL_LOCKS_EXCLUDED(mutex_);

  // Registers an observer and tells it the current state, on this thread before this function
  // returns, unless an observer calls it: then after that observer returns. From then on it is told
  // every transition exactly once, in their order.
  [[nodiscard]] std::unique_ptr<Observation> Observe(Observer observer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Registered {
    Observer observer;
    std::size_t next;      // the first of entered_ that it has not been told
    bool removed = false;  // while it is being called; the thread that calls it erases it
  };

  // Tells all observers what they have not been told, or leaves it to this thread's own call of
  // this function that is under way further up the stack.
  void Tell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the observer that has missed the most states, or null if all know the current one.
  Registered* FurthestBehind() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const void* observer) ABSL_LOCKS_EXCLUDED(mutex_);

  std::atomic<LifecycleState> state_{LifecycleState::kLoading};  // written under mutex_

  Mutex mutex_;
  CondVar changed_;  // teller_ or telling_
  std::vector<LifecycleState> entered_ ABSL_GUARDED_BY(mutex_){LifecycleState::kLoading};
  std::vector<std::unique_ptr<Registered>> observers_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::thread::id> teller_ ABSL_GUARDED_BY(mutex_);  // the thread that runs Tell
  Registered* telling_ ABSL_GUARDED_BY(mutex_) = nullptr;          // the observer that is called
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_LIFECYCLE_H_
