// Decides whether the server accepts calls, and keeps track of the calls that it has accepted.
// Every call enters and leaves here.
#ifndef HELLOCNN_SERVER_RPC_CORE_ADMISSION_H_
#define HELLOCNN_SERVER_RPC_CORE_ADMISSION_H_

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

namespace hellocnn::server {

// A call that lasts as long as its client wants.
class Drainable {
 public:
  virtual ~Drainable() = default;
  // Finishes the accepted requests, accepts no more, and ends the call. Does not block. May be
  // called after the end of the call.
  virtual void Drain() = 0;
};

// Admits calls while the lifecycle is serving or leaving. When the lifecycle begins to drain,
// drains the streams that have entered. Thread-safe. Only the two Wait functions block.
class Admission {
 public:
  // Both arguments must outlive this object.
  Admission(Lifecycle* lifecycle, const Clock* clock);

  // A call's place in the server. The destructor returns it. Thread-compatible.
  class Ticket {
   public:
    Ticket() = default;  // no place
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), stream_(other.stream_) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(stream_, other.stream_);
      other.Return();
      return *this;
    }
    ~Ticket() { Return(); }

   private:
    friend class Admission;
    Ticket(Admission* admission, const Drainable* stream)
        : admission_(admission), stream_(stream) {}
    void Return() {
      if (admission_ != nullptr) std::exchange(admission_, nullptr)->Leave(stream_);
    }

    Admission* admission_ = nullptr;
    const Drainable* stream_ = nullptr;  // null for a call that ends by itself
  };
  using Result = std::variant<Ticket, Rejection>;

  // Admits a call, or rejects it because the model is loading or the server is draining.
  Result Enter() ABSL_LOCKS_EXCLUDED(mutex_) { return Enter(nullptr); }
  // Does the same for a stream. Keeps the stream until its ticket is destroyed, and drains it when
  // the server begins to drain.
  Result Enter(std::shared_ptr<Drainable> stream) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until every call has left. May be called only once the server drains. Returns false if
  // `deadline` passes first.
  bool WaitUntilIdle(Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until no call has arrived or left for the duration `quiet`, which begins no earlier than
  // draining does. May be called only once the server drains. Returns false if `deadline` passes
  // first.
  bool WaitUntilQuiet(absl::Duration quiet, Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Handles the change of the lifecycle to `state`.
  void OnState(LifecycleState state) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const Drainable* stream) ABSL_LOCKS_EXCLUDED(mutex_);

  Lifecycle* const lifecycle_;
  const Clock* const clock_;
  Mutex mutex_;
  CondVar idle_;
  // The last time that a call arrived or left, or that draining began. Set only from then on.
  Instant last_event_ ABSL_GUARDED_BY(mutex_) = Instant::InfinitePast();
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;  // including streams
  std::map<const Drainable*, std::shared_ptr<Drainable>> streams_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Lifecycle::Observation> observation_;  // last, to be destroyed first
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_ADMISSION_H_
