#include "server/runtime/warm_up.h"

#include <span>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace hellocnn::server {

WarmUp::WarmUp(int workers, int max_batch_size, const Notification* stop)
    : workers_(workers),
      max_batch_size_(max_batch_size),
      stop_(stop),
      blank_(BytesPerImage(PixelFormat::kGray8)),
      images_(static_cast<std::size_t>(max_batch_size), {PixelFormat::kGray8, blank_.data()}) {}

absl::Status WarmUp::Run(Engine& engine) {
  absl::Status status = RunAllSizes(engine);
  MutexLock lock(&mutex_);
  ++finished_;
  status_.Update(status);
  changed_.SignalAll();
  return status;
}

absl::Status WarmUp::RunAllSizes(Engine& engine) {
  const std::size_t classes = static_cast<std::size_t>(engine.classes());
  std::vector<float> log_probabilities(images_.size() * classes);
  std::vector<absl::Status> statuses(images_.size());
  for (std::size_t size = 1; size <= images_.size(); ++size) {
    if (stop_ != nullptr && stop_->HasBeenNotified()) {
      return absl::CancelledError("stopped during warm-up");
    }
    engine.Classify(std::span(images_).first(size),
                    std::span(log_probabilities).first(size * classes),
                    std::span(statuses).first(size));
    for (const absl::Status& status : std::span(statuses).first(size)) {
      if (status.ok()) continue;
      return absl::Status(status.code(),
                          absl::StrCat("warm-up with ", size, " images: ", status.message()));
    }
    MutexLock lock(&mutex_);
    images_done_ += static_cast<std::int64_t>(size);
  }
  return absl::OkStatus();
}

absl::Status WarmUp::Wait(const std::function<void(int)>& progress) {
  const std::int64_t sizes = max_batch_size_;
  const std::int64_t all_images = workers_ * sizes * (sizes + 1) / 2;
  Instant next_progress = Clock::Monotonic()->Now() + absl::Seconds(1);
  while (true) {
    int percent;
    {
      MutexLock lock(&mutex_);
      while (finished_ < workers_ && Clock::Monotonic()->Now() < next_progress) {
        changed_.WaitUntil(&mutex_, next_progress);
      }
      if (finished_ == workers_) return status_;
      percent = static_cast<int>(100 * images_done_ / all_images);
    }
    if (progress) progress(percent);
    next_progress += absl::Seconds(1);
  }
}

}  // namespace hellocnn::server
