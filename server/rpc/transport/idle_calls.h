// Keeps the objects of ended calls for later calls.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_IDLE_CALLS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_IDLE_CALLS_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::server {

// A pool of call objects. With it, a call needs no new object and no new memory inside of one.
// Thread-safe.
template <typename Call>
class IdleCalls {
 public:
  // Returns an object, or null if the pool is empty.
  std::unique_ptr<Call> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (calls_.empty()) return nullptr;
    std::unique_ptr<Call> call = std::move(calls_.back());
    calls_.pop_back();
    return call;
  }

  // Keeps the object, or deletes it if the pool is full.
  void Put(std::unique_ptr<Call> call) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (calls_.size() < kMost) calls_.push_back(std::move(call));
  }

 private:
  // The number of calls that a busy server has in flight. After a burst of more calls, the rest of
  // the objects are deleted.
  static constexpr std::size_t kMost = 256;

  Mutex mutex_;
  std::vector<std::unique_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_IDLE_CALLS_H_
