// The implementation of Cancellation.
#ifndef HELLOCNN_CLIENT_CANCELLATION_H_
#define HELLOCNN_CLIENT_CANCELLATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

struct Cancellation::State {
  Mutex mutex;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  std::uint64_t next_key ABSL_GUARDED_BY(mutex) = 0;
  std::map<std::uint64_t, std::function<void()>> calls ABSL_GUARDED_BY(mutex);
};

// Makes a call cancellable from construction to destruction. Thread-compatible.
class CancellationRegistration {
 public:
  // Runs `cancel` when `cancellation` is cancelled, at once if it already is. `cancel` may still
  // run during or after the destruction of this, so it must own what it touches. Does nothing if
  // `cancellation` is unset.
  CancellationRegistration(const std::optional<Cancellation>& cancellation,
                           std::function<void()> cancel);
  ~CancellationRegistration();
  CancellationRegistration(const CancellationRegistration&) = delete;
  CancellationRegistration& operator=(const CancellationRegistration&) = delete;

  // Returns true if `cancellation` has been cancelled. Thread-safe.
  bool cancelled() const;

 private:
  const std::shared_ptr<Cancellation::State> state_;
  std::uint64_t key_ = 0;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CANCELLATION_H_
