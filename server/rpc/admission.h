// Whether the server takes work now, and what it has taken. Every call enters and leaves here.
#ifndef HELLOCNN_SERVER_RPC_ADMISSION_H_
#define HELLOCNN_SERVER_RPC_ADMISSION_H_

#include <map>
#include <memory>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/core/rejection.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// A call that would go on for as long as its client likes.
class Drainable {
 public:
  virtual ~Drainable() = default;
  // Finishes what was accepted, accepts no more and ends the call. Does not block; safe after the
  // call's end.
  virtual void Drain() = 0;
};

// Admits calls while the lifecycle is serving, and drains the streams that are in when it begins to
// drain. Thread-safe. Nothing but the two waits blocks.
class Admission {
 public:
  // Calls that are admitted get a handle on the default model of `registry`. All three outlive
  // this.
  Admission(Lifecycle* lifecycle, const ModelRegistry* registry, const Clock* clock);

  // A call's place in the server. Its destructor gives it back. Thread-compatible.
  class Ticket {
   public:
    Ticket() = default;  // no place
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          stream_(other.stream_),
          servable_(std::move(other.servable_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(stream_, other.stream_);
      std::swap(servable_, other.servable_);
      other.Return();
      return *this;
    }
    ~Ticket() { Return(); }

    // What answers the call. There must be a place.
    const Servable& servable() const { return *servable_; }

   private:
    friend class Admission;
    Ticket(Admission* admission, const Drainable* stream, ServableHandle servable)
        : admission_(admission), stream_(stream), servable_(std::move(servable)) {}
    void Return() {
      servable_.reset();
      if (admission_ != nullptr) std::exchange(admission_, nullptr)->Leave(stream_);
    }

    Admission* admission_ = nullptr;
    const Drainable* stream_ = nullptr;  // null: a call that ends by itself
    ServableHandle servable_;            // null: no place
  };
  using Result = std::variant<Ticket, Rejection>;

  // Admits a call, or rejects it because the model is loading or the server is draining.
  Result Enter() ABSL_LOCKS_EXCLUDED(mutex_) { return Enter(nullptr); }
  // The same for a stream, which is kept until its ticket is gone, and is told to drain when that
  // time comes.
  Result Enter(std::shared_ptr<Drainable> stream) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if the model has not been loaded yet.
  bool loading() const { return !lifecycle_->has_served(); }

  // Blocks until nobody is in, which may only be asked for once the server drains. False: the time
  // came first.
  bool WaitUntilIdle(Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Once the server drains: blocks until no call has come for as long as `quiet`, counted from the
  // begin of draining at the earliest. False: `deadline` came first.
  bool WaitUntilQuiet(absl::Duration quiet, Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The lifecycle has become `state`.
  void OnState(LifecycleState state) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const Drainable* stream) ABSL_LOCKS_EXCLUDED(mutex_);

  Lifecycle* const lifecycle_;
  const ModelRegistry* const registry_;
  const Clock* const clock_;
  Mutex mutex_;
  CondVar idle_;
  Instant last_refusal_ ABSL_GUARDED_BY(mutex_) = Instant::InfinitePast();  // while draining
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;                                   // streams too
  std::map<const Drainable*, std::shared_ptr<Drainable>> streams_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // ends before the rest goes
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ADMISSION_H_
