// Call objects that are over and wait for another call.
#ifndef HELLOCNN_SERVER_RPC_IDLE_CALLS_H_
#define HELLOCNN_SERVER_RPC_IDLE_CALLS_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::server {

// So that a call needs no new object, and none of what is in one. Thread-safe.
template <typename Call>
class IdleCalls {
 public:
  // Null if none waits.
  std::unique_ptr<Call> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (calls_.empty()) return nullptr;
    std::unique_ptr<Call> call = std::move(calls_.back());
    calls_.pop_back();
    return call;
  }

  // Keeps it, unless enough wait.
  void Put(std::unique_ptr<Call> call) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (calls_.size() < kMost) calls_.push_back(std::move(call));
  }

 private:
  // As many as a busy server has under way. After a flood the others go.
  static constexpr std::size_t kMost = 256;

  Mutex mutex_;
  std::vector<std::unique_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_IDLE_CALLS_H_
