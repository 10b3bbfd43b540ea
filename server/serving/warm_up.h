// The first call of an engine at each batch size is far slower than those that follow, and so is
// the first call on each thread: memory is mapped, kernels are chosen and cached. No request
// should wait for that, so each worker warms its own engine up, on its own thread, before a model
// serves.
#ifndef HELLOCNN_SERVER_SERVING_WARM_UP_H_
#define HELLOCNN_SERVER_SERVING_WARM_UP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "server/serving/engine_selection.h"

namespace hellocnn::server {

// Warms up one engine on each worker, in steps between which a worker can do something else. Logs
// the progress about once a second. Thread-safe for different workers.
class WarmUp {
 public:
  // `clock` outlives this. `stop` may be null.
  WarmUp(int workers, int max_batch_size, const Clock* clock, StopCheck stop);

  // Runs the engine of `worker` on blank images, once: with one image the first time, with one more
  // each time after that. Returns true if there is more to do. Blocks as long as the engine does.
  bool Step(int worker, Engine& engine) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the outcome, once every worker's Step has returned false. CANCELLED: stopped. Other
  // errors are the first error of an engine, with the batch size.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The state of one worker, for its own thread only.
  struct Worker {
    std::size_t size = 0;  // of the last batch
    std::vector<float> log_probabilities;
    std::vector<absl::Status> statuses;
  };

  absl::Status RunBatch(Worker& mine, Engine& engine);

  const std::int64_t all_images_;  // that the workers classify, together
  const Clock* const clock_;
  const StopCheck stop_;
  const std::vector<std::byte> blank_;
  const std::vector<ImageView> images_;
  std::vector<Worker> workers_;

  mutable Mutex mutex_;
  std::int64_t images_done_ ABSL_GUARDED_BY(mutex_) = 0;  // of all workers
  Instant next_log_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_WARM_UP_H_
