#include "server/batching/warm_up.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/image.h"
#include "hellocnn/prediction.h"

namespace hellocnn::server {

struct WarmUp::State {
  State(int workers, int largest, const absl::Notification* stop_notification)
      : threads(workers),
        max_batch_size(largest),
        stop(stop_notification),
        blank(BytesPerImage(PixelFormat::kGray8)),
        images(static_cast<std::size_t>(largest), {PixelFormat::kGray8, blank.data()}) {}

  // A worker holds its batch until all workers have one: so each gets exactly one.
  void Arrive() {
    std::unique_lock lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait(lock, [this] { return go; });
  }
  void Go() {
    const std::scoped_lock lock(mutex);
    go = true;
    changed.notify_all();
  }
  void Finish(const absl::Status& job_status) {
    const std::scoped_lock lock(mutex);
    ++finished;
    status.Update(job_status);
    changed.notify_all();
  }

  const int threads;
  const int max_batch_size;
  const absl::Notification* const stop;
  const std::vector<std::byte> blank;
  const std::vector<ImageView> images;

  std::atomic<std::int64_t> images_done{0};  // of all workers

  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;  // these and what follows are guarded by mutex
  int finished = 0;
  bool go = false;
  absl::Status status;
};

namespace {

absl::Status RunAllSizes(Engine& engine, std::span<const ImageView> images,
                         const absl::Notification* stop, std::atomic<std::int64_t>* done) {
  std::vector<Prediction> predictions(images.size());
  for (std::size_t size = 1; size <= images.size(); ++size) {
    if (stop != nullptr && stop->HasBeenNotified()) {
      return absl::CancelledError("stopped during warm-up");
    }
    absl::Status status = engine.Classify(images.first(size), std::span(predictions).first(size));
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("warm-up with ", size, " images: ", status.message()));
    }
    *done += static_cast<std::int64_t>(size);
  }
  return absl::OkStatus();
}

// Warms the engine up in its first call.
template <typename State>
class WarmingEngine : public Engine {
 public:
  WarmingEngine(std::unique_ptr<Engine> engine, std::shared_ptr<State> state)
      : engine_(std::move(engine)), state_(std::move(state)) {}

  absl::Status Classify(std::span<const ImageView> images,
                        std::span<Prediction> predictions) override {
    if (state_ != nullptr) {
      const std::shared_ptr<State> state = std::move(state_);
      state->Arrive();
      absl::Status status = RunAllSizes(*engine_, state->images, state->stop, &state->images_done);
      if (!status.ok()) return status;
    }
    return engine_->Classify(images, predictions);
  }

 private:
  const std::unique_ptr<Engine> engine_;
  std::shared_ptr<State> state_;  // null once warm
};

}  // namespace

WarmUp::WarmUp(int threads, int max_batch_size, const absl::Notification* stop)
    : state_(std::make_shared<State>(threads, max_batch_size, stop)) {}

WarmUp::~WarmUp() { state_->Go(); }

EngineFactory WarmUp::Wrap(EngineFactory engines) const {
  return
      [engines = std::move(engines), state = state_]() -> absl::StatusOr<std::unique_ptr<Engine>> {
        absl::StatusOr<std::unique_ptr<Engine>> engine = engines();
        if (!engine.ok()) return engine.status();
        return std::make_unique<WarmingEngine<State>>(*std::move(engine), state);
      };
}

absl::Status WarmUp::Run(Batcher& batcher, const std::function<void(int)>& progress) {
  for (int i = 1; i <= state_->threads; ++i) {
    auto job = std::make_shared<Job>();
    job->images = state_->images;  // a full batch: it is taken at once and alone
    job->done = [state = state_](const absl::Status& status, std::span<const Prediction>,
                                 const JobTiming&) { state->Finish(status); };
    absl::Status status = batcher.Submit(std::move(job));
    if (!status.ok()) return status;
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this, i] { return state_->arrived == i; });
  }
  state_->Go();
  const std::int64_t sizes = state_->max_batch_size;
  const std::int64_t all_images = state_->threads * sizes * (sizes + 1) / 2;
  std::unique_lock lock(state_->mutex);
  while (!state_->changed.wait_for(lock, std::chrono::seconds(1),
                                   [this] { return state_->finished == state_->threads; })) {
    lock.unlock();
    if (progress) progress(static_cast<int>(100 * state_->images_done / all_images));
    lock.lock();
  }
  return state_->status;
}

}  // namespace hellocnn::server
