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
#include "server/runtime/batcher.h"
#include "server/serving/lifecycle.h"

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
  // `lifecycle` and `clock` outlive this.
  Admission(Lifecycle* lifecycle, const Clock* clock);

  // Calls that are admitted get `batcher`, which must outlive every call. Before the lifecycle is
  // serving.
  void SetBatcher(Batcher* batcher) ABSL_LOCKS_EXCLUDED(mutex_);

  // A call's place in the server. Its destructor gives it back. Thread-compatible.
  class Ticket {
   public:
    Ticket() = default;  // no place
    Ticket(Ticket&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {
      stream_ = other.stream_;
      batcher_ = other.batcher_;
    }
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(stream_, other.stream_);
      std::swap(batcher_, other.batcher_);
      other.Return();
      return *this;
    }
    ~Ticket() { Return(); }

    // What computes the call's images.
    Batcher* batcher() const { return batcher_; }

   private:
    friend class Admission;
    Ticket(Admission* admission, const Drainable* stream, Batcher* batcher)
        : admission_(admission), stream_(stream), batcher_(batcher) {}
    void Return() {
      if (admission_ != nullptr) std::exchange(admission_, nullptr)->Leave(stream_);
    }

    Admission* admission_ = nullptr;
    const Drainable* stream_ = nullptr;  // null: a call that ends by itself
    Batcher* batcher_ = nullptr;
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
  const Clock* const clock_;
  Mutex mutex_;
  CondVar idle_;
  Instant last_refusal_ ABSL_GUARDED_BY(mutex_) = Instant::InfinitePast();  // while draining
  Batcher* batcher_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;  // streams too
  std::map<const Drainable*, std::shared_ptr<Drainable>> streams_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // ends before the rest goes
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ADMISSION_H_
