#include "server/serving/warm_up.h"

#include <spdlog/spdlog.h>

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(1);

}  // namespace

WarmUp::WarmUp(int workers, int max_batch_size, const Clock* clock, StopCheck stop)
    : all_images_(std::int64_t{workers} * max_batch_size * (max_batch_size + 1) / 2),
      clock_(clock),
      stop_(std::move(stop)),
      blank_(BytesPerImage(PixelFormat::kGray8)),
      images_(static_cast<std::size_t>(max_batch_size), {PixelFormat::kGray8, blank_.data()}),
      workers_(static_cast<std::size_t>(workers)),
      next_log_(clock->Now() + kLogInterval) {}

bool WarmUp::Step(int worker, Engine& engine) {
  Worker& mine = workers_[static_cast<std::size_t>(worker)];
  absl::Status status = stop_ != nullptr && stop_() ? absl::CancelledError("stopped during warm-up")
                                                    : RunBatch(mine, engine);
  MutexLock lock(&mutex_);
  status_.Update(std::move(status));
  images_done_ += static_cast<std::int64_t>(mine.size);
  if (const Instant now = clock_->Now(); now >= next_log_) {
    next_log_ = now + kLogInterval;
    spdlog::info("warming up: {}%", 100 * images_done_ / all_images_);
  }
  return status_.ok() && mine.size < images_.size();
}

absl::Status WarmUp::status() const {
  MutexLock lock(&mutex_);
  return status_;
}

absl::Status WarmUp::RunBatch(Worker& mine, Engine& engine) {
  ++mine.size;
  const std::size_t classes = static_cast<std::size_t>(engine.classes());
  mine.log_probabilities.resize(images_.size() * classes);
  mine.statuses.resize(images_.size());
  const std::span statuses = std::span(mine.statuses).first(mine.size);
  engine.Classify(std::span(images_).first(mine.size),
                  std::span(mine.log_probabilities).first(mine.size * classes), statuses);
  for (const absl::Status& status : statuses) {
    if (status.ok()) continue;
    return absl::Status(status.code(),
                        absl::StrCat("warm-up with ", mine.size, " images: ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace hellocnn::server
