#include "server/scheduling/batch_queue.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/error_details.h"
#include "server/scheduling/fair_order.h"
#include "server/scheduling/fifo_order.h"

namespace hellocnn::server {
namespace {

// When to come back to a full queue whose pace is not known yet, and the limits of all such times.
constexpr absl::Duration kUsualRetry = absl::Milliseconds(100);
constexpr absl::Duration kSoonestRetry = absl::Milliseconds(1);
constexpr absl::Duration kLatestRetry = absl::Seconds(10);

absl::Duration ClampRetry(absl::Duration delay) {
  return std::clamp(delay, kSoonestRetry, kLatestRetry);
}

// Returns a duration for people to read. Rejections must be cheap, and absl::FormatDuration is not.
std::string InMilliseconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1))), "ms");
}

// A quarter of a batch, so that four callers share one.
int TurnOf(int max_batch_size) { return std::max(max_batch_size / 4, 1); }

std::unique_ptr<JobOrder> MakeOrder(const BatchQueue::Options& options,
                                    std::pmr::memory_resource* memory) {
  if (options.policy == QueuePolicy::kFifo) return std::make_unique<FifoOrder>(memory);
  return std::make_unique<FairOrder>(options.capacity, TurnOf(options.max_batch_size), memory);
}

}  // namespace

void Job::Prepare(std::span<const ImageView> images, std::span<float> log_probabilities,
                  Instant deadline, const Origin& from) {
  assert(log_probabilities.size() >= images.size() && !is_queued() && outstanding_ == 0);
  origin = from;
  images_ = images;
  log_probabilities_ = log_probabilities;
  deadline_ = deadline;
  cancelled_.store(false, std::memory_order_relaxed);
  status_ = absl::OkStatus();
  timing_ = {};
  taken_ = 0;
  computed_ = 0;
}

BatchQueue::BatchQueue(const Options& options)
    : options_(options), order_(MakeOrder(options, &memory_)) {}

absl::Status BatchQueue::Validate(const Options& options) {
  const auto at_least_one = [](absl::string_view name, int value) {
    return value >= 1 ? absl::OkStatus()
                      : absl::InvalidArgumentError(
                            absl::StrCat(name, " is ", value, ", wanted at least 1 image"));
  };
  if (absl::Status status = at_least_one("max_batch_size", options.max_batch_size); !status.ok()) {
    return status;
  }
  if (absl::Status status = at_least_one("capacity", options.capacity); !status.ok()) {
    return status;
  }
  if (options.max_delay < absl::ZeroDuration() || options.max_delay == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_delay is ", absl::FormatDuration(options.max_delay), ", wanted 0 or more and finite"));
  }
  return absl::OkStatus();
}

absl::Status BatchQueue::Push(Job* job, Instant now) {
  // Compared as size_t: a job may hold more images than an int can count.
  const std::size_t images = job->images_.size();
  if (images == 0) return absl::InvalidArgumentError("the job has no images");
  if (images > static_cast<std::size_t>(options_.capacity)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the job has ", images, " images, the queue can hold at most ", options_.capacity));
  }
  if (draining_) return absl::UnavailableError("the server is draining");
  if (job->deadline_ <= now) {
    return absl::DeadlineExceededError("the deadline passed before the request could be queued");
  }
  job->queued = static_cast<int>(images);
  absl::Status rejection = CheckTime(*job, now);
  if (rejection.ok()) rejection = MakeRoom(*job, now);
  if (!rejection.ok()) {
    job->queued = 0;
    return rejection;
  }
  job->submitted_ = now;
  order_->Add(job);
  queued_images_ += job->queued;
  if (job->deadline_ != Instant::InfiniteFuture()) deadlines_.emplace(job->deadline_, job);
  job->position_ = jobs_.insert(jobs_.end(), job);
  return absl::OkStatus();
}

absl::Status BatchQueue::MakeRoom(const Job& job, Instant now) {
  int excess = job.queued - (options_.capacity - queued_images_);
  while (excess > 0) {
    Waiting* const displaced = order_->ToDisplace(job, excess);
    if (displaced == nullptr) {
      return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                                "the queue is full: ", queued_images_, " of ", options_.capacity,
                                " images wait, ", job.queued, " more do not fit")),
                            RetryAfterRoomFor(excess));
    }
    excess -= displaced->queued;
    Drop(*static_cast<Job*>(displaced),
         WithRetryAfter(absl::ResourceExhaustedError(
                            "the queue is full, and another caller needs the room more"),
                        RetryAfterRoomFor(displaced->queued)),
         now, &displaced_);
  }
  return absl::OkStatus();
}

absl::Duration BatchQueue::RetryAfterRoomFor(int images) const {
  const absl::Duration room = waits_.TakeTime(images);
  return room == absl::ZeroDuration() ? kUsualRetry : ClampRetry(room);
}

absl::Status BatchQueue::CheckTime(const Job& job, Instant now) const {
  if (queued_images_ == 0 || job.deadline_ == Instant::InfiniteFuture()) return absl::OkStatus();
  const int before = order_->ImagesBefore(job);
  const int batch = std::min(queued_images_ + job.queued, options_.max_batch_size);
  const absl::Duration wait = waits_.TakeTime(before + job.queued) + 2 * waits_.ComputeTime(batch);
  const absl::Duration left = job.deadline_ - now;
  if (wait <= left) return absl::OkStatus();
  return WithRetryAfter(
      absl::ResourceExhaustedError(absl::StrCat(
          "the queue is too long: ", before, " images wait before this request, which would take ",
          InMilliseconds(wait), ", and its deadline is in ", InMilliseconds(left))),
      ClampRetry(wait - left));
}

Instant BatchQueue::HopelessDeadline(Instant now) const {
  if (queued_images_ <= options_.max_batch_size) return now;
  return now + waits_.ComputeTime(options_.max_batch_size);
}

Instant BatchQueue::ReleaseTime() const {
  if (!displaced_.empty()) return Instant::InfinitePast();
  if (jobs_.empty()) return Instant::InfiniteFuture();
  if (draining_ || queued_images_ >= options_.max_batch_size ||
      options_.max_delay == absl::ZeroDuration()) {
    return Instant::InfinitePast();
  }
  const Instant release = jobs_.front()->submitted_ + options_.max_delay;
  // Waiting until just before the deadline would leave no time to compute, and the compute time is
  // not known here. So the queue does not wait at all if a deadline falls before the end of the
  // wait.
  const bool in_a_hurry = !deadlines_.empty() && deadlines_.begin()->first <= release;
  return in_a_hurry ? Instant::InfinitePast() : release;
}

Release BatchQueue::ReleaseReason(Instant now) const {
  if (queued_images_ >= options_.max_batch_size) return Release::kFull;
  if (draining_) return Release::kDrain;
  const bool waited = options_.max_delay > absl::ZeroDuration() &&
                      jobs_.front()->submitted_ + options_.max_delay <= now;
  return waited ? Release::kDelay : Release::kIdle;
}

BatchQueue::Taken BatchQueue::Take(Instant now, Taken reuse) {
  Taken taken{.slices = std::move(reuse.slices), .dropped = std::move(reuse.dropped)};
  taken.slices.clear();
  taken.dropped.clear();
  std::swap(taken.dropped, displaced_);
  while (!deadlines_.empty() && deadlines_.begin()->first <= HopelessDeadline(now)) {
    const bool passed = deadlines_.begin()->first <= now;
    Drop(*deadlines_.begin()->second,
         absl::DeadlineExceededError(
             passed ? "the deadline passed while the request was queued"
                    : "the deadline left too little time to compute the request"),
         now, &taken.dropped);
  }
  if (const Instant release = ReleaseTime(); release > now) {
    taken.ask_again = release;
    return taken;
  }
  if (!jobs_.empty()) taken.reason = ReleaseReason(now);
  while (!jobs_.empty() && taken.images < options_.max_batch_size) {
    const JobOrder::Turn turn = order_->Next();
    Job& job = *static_cast<Job*>(turn.job);
    if (job.cancelled_.load(std::memory_order_relaxed)) {
      Drop(job, absl::CancelledError("the caller cancelled the request while it was queued"), now,
           &taken.dropped);
      continue;
    }
    const int count = std::min(turn.images, options_.max_batch_size - taken.images);
    if (job.taken_ == 0) {
      job.first_taken_ = now;
      job.timing_.queue = now - job.submitted_;
    }
    taken.slices.push_back({&job, job.taken_, count});
    taken.images += count;
    job.taken_ += count;
    ++job.outstanding_;
    queued_images_ -= count;
    order_->Take(&job, count);
    if (!job.is_queued()) Remove(job);
  }
  outstanding_slices_ += std::ssize(taken.slices);
  if (taken.images > 0) waits_.OnTake(now, taken.images, queued_images_ > 0);
  for (const Slice& slice : taken.slices) {
    int& largest = slice.job->timing_.largest_batch;
    largest = std::max(largest, taken.images);
  }
  return taken;
}

BatchQueue::Finished BatchQueue::Finish(const Taken& batch, Instant now, Finished reuse) {
  Finished finished = std::move(reuse);
  finished.jobs.clear();
  finished.dropped.clear();
  outstanding_slices_ -= std::ssize(batch.slices);
  for (const Slice& slice : batch.slices) {
    Job& job = *slice.job;
    --job.outstanding_;
    if (slice.computed()) job.computed_ += slice.count;
    if (!slice.status.ok()) {
      if (job.status_.ok()) {
        job.status_ =
            slice.computed()
                ? slice.status
                : absl::InternalError(absl::StrCat("the engine failed: ", slice.status.message()));
      }
      if (job.is_queued()) {
        finished.dropped.push_back({.images = job.queued,
                                    .reason = job.status_.code(),
                                    .waited = std::nullopt,
                                    .finished = nullptr});
        Remove(job);
      }
    }
    if (job.outstanding_ > 0 || job.is_queued()) continue;
    job.timing_.compute = now - job.first_taken_;
    if (job.status_.ok() && job.deadline_ <= now) {
      job.status_ =
          absl::DeadlineExceededError("the deadline passed while the request was computed");
    }
    finished.jobs.push_back(&job);
  }
  return finished;
}

void BatchQueue::Remove(Job& job) {
  queued_images_ -= job.queued;
  if (job.is_queued()) order_->Remove(&job);
  if (job.deadline_ != Instant::InfiniteFuture()) deadlines_.erase({job.deadline_, &job});
  jobs_.erase(job.position_);
}

void BatchQueue::Drop(Job& job, absl::Status status, Instant now, std::vector<Dropped>* dropped) {
  const bool whole = job.taken_ == 0;
  const bool finished = job.outstanding_ == 0;
  job.status_ = std::move(status);
  if (whole) job.timing_.queue = now - job.submitted_;
  if (finished && !whole) job.timing_.compute = now - job.first_taken_;
  dropped->push_back({.images = job.queued,
                      .reason = job.status_.code(),
                      .waited = whole ? std::optional(job.timing_.queue) : std::nullopt,
                      .finished = finished ? &job : nullptr});
  Remove(job);
}

}  // namespace hellocnn::server
