// What stands behind Cancellation.
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

// A call that can be cancelled, from construction to destruction. Thread-compatible.
class CancellationRegistration {
 public:
  // `cancel` runs when `cancellation` says so: at once, if it has done so already. It may run once
  // more while or after this is destroyed, so it must own what it touches. Nothing, if there is no
  // `cancellation`.
  CancellationRegistration(const std::optional<Cancellation>& cancellation,
                           std::function<void()> cancel);
  ~CancellationRegistration();
  CancellationRegistration(const CancellationRegistration&) = delete;
  CancellationRegistration& operator=(const CancellationRegistration&) = delete;

 private:
  const std::shared_ptr<Cancellation::State> state_;
  std::uint64_t key_ = 0;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CANCELLATION_H_
