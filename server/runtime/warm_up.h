// The first call of an engine at each batch size is far slower than those that follow, and so is
// the first call on each thread: memory is mapped, kernels are chosen and cached. Nobody should
// wait for that, so each worker warms its own engine up, on its own thread, before the server is
// ready.
#ifndef HELLOCNN_SERVER_RUNTIME_WARM_UP_H_
#define HELLOCNN_SERVER_RUNTIME_WARM_UP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"

namespace hellocnn::server {

// Of the workers of one batcher, each of which calls Run. Outlives them. Thread-safe.
class WarmUp {
 public:
  // `stop` may be null, else it outlives this; once it is notified, warming up fails with
  // CANCELLED.
  WarmUp(int workers, int max_batch_size, const Notification* stop);

  // Runs the engine on blank images, once for each batch size from 1 to max_batch_size. An error is
  // the engine's, with the batch size.
  absl::Status Run(Engine& engine) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until each worker has run. Once a second `progress`, which may be null, is told the
  // percentage that is done, on the caller's thread. An error is the first that a worker had.
  absl::Status Wait(const std::function<void(int)>& progress = nullptr) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status RunAllSizes(Engine& engine) ABSL_LOCKS_EXCLUDED(mutex_);

  const int workers_;
  const int max_batch_size_;
  const Notification* const stop_;
  const std::vector<std::byte> blank_;
  const std::vector<ImageView> images_;

  Mutex mutex_;
  CondVar changed_;
  int finished_ ABSL_GUARDED_BY(mutex_) = 0;              // workers
  std::int64_t images_done_ ABSL_GUARDED_BY(mutex_) = 0;  // of all workers
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_WARM_UP_H_
