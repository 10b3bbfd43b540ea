// The first call of an engine at each batch size is far slower than those that follow, and so is
// the first call on each thread: memory is mapped, kernels are chosen and cached. Nobody should
// wait for that, so each worker warms its own engine up, on its own thread, before the server is
// ready.
#ifndef HELLOCNN_SERVER_WARM_UP_H_
#define HELLOCNN_SERVER_WARM_UP_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "hellocnn/engine.h"
#include "server/batching/batcher.h"

namespace hellocnn::server {

// Batch sizes up to this one are all warmed up; beyond it, powers of two and the largest. All sizes
// up to 4096 would be 8 million images.
inline constexpr int kWarmUpEverySizeTo = 64;

// For one batcher: give it the wrapped factory, then Run. Until then a worker that gets a batch
// waits.
class WarmUp {
 public:
  // `stop` may be null, else it outlives the engines; once it is notified, warming up fails with
  // INTERNAL.
  WarmUp(int threads, int max_batch_size, const absl::Notification* stop);
  // Lets workers that wait go on.
  ~WarmUp();

  EngineFactory Wrap(EngineFactory engines) const;

  // Has every worker of `batcher` run its engine on blank images, in batches of 1 to
  // max_batch_size. Blocks until all have. An error is the engine's.
  absl::Status Run(Batcher& batcher);

 private:
  struct State;
  const std::shared_ptr<State> state_;  // shared with the engines
};

// Keeps what is warm-up and not traffic from another observer.
class TrafficObserver : public BatchObserver {
 public:
  explicit TrafficObserver(BatchObserver* observer) : observer_(observer) {}
  // From now on everything is passed on.
  void Open() { open_ = true; }
  void OnBatch(int worker, const BatchQueue::Taken& batch, absl::Duration compute,
               const absl::Status& status) override {
    if (open_) observer_->OnBatch(worker, batch, compute, status);
  }
  void OnDropped(const BatchQueue::Dropped& dropped) override {
    if (open_) observer_->OnDropped(dropped);
  }
  void OnAbandoned(int images) override {
    if (open_) observer_->OnAbandoned(images);
  }

 private:
  BatchObserver* const observer_;
  std::atomic<bool> open_{false};
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_WARM_UP_H_
