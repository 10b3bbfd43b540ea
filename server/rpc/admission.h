// Whether the server takes work now, and what it has taken. Every call enters and leaves here.
#ifndef HELLOCNN_SERVER_RPC_ADMISSION_H_
#define HELLOCNN_SERVER_RPC_ADMISSION_H_

#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
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

  // LoadingError or DrainingError of status.h. Otherwise the caller is in, and must Leave.
  absl::StatusOr<Batcher*> Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  // As Enter, and `stream` is kept and told to drain when that time comes, until it leaves.
  absl::StatusOr<Batcher*> Enter(std::shared_ptr<Drainable> stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const Drainable* stream) ABSL_LOCKS_EXCLUDED(mutex_);

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
  absl::StatusOr<Batcher*> EnterLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeaveLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

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
