#include "client/image_queue.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace hellocnn::client {

absl::Status ImageQueue::Validate(const BatchingOptions& options) {
  const auto at_least_1 = [](const char* option, int value) {
    return value >= 1 ? absl::OkStatus()
                      : absl::InvalidArgumentError(
                            absl::StrCat(option, " is ", value, "; it must be 1 or more"));
  };
  absl::Status status = at_least_1("max_batch_size", options.max_batch_size);
  status.Update(at_least_1("max_calls_in_flight", options.max_calls_in_flight));
  status.Update(at_least_1("queue_capacity", options.queue_capacity));
  return status;
}

absl::Status ImageQueue::Push(std::shared_ptr<PendingImage> image) {
  if (images_.size() >= static_cast<std::size_t>(options_.queue_capacity)) {
    return absl::ResourceExhaustedError(absl::StrCat("the client's queue is full: ", images_.size(),
                                                     " images wait to be sent; retry later"));
  }
  images_.push_back(std::move(image));
  return absl::OkStatus();
}

ImageQueue::Taken ImageQueue::Take(Instant now) {
  Taken taken;
  if (calls_ >= options_.max_calls_in_flight) return taken;
  while (!images_.empty() &&
         taken.batch.size() < static_cast<std::size_t>(options_.max_batch_size)) {
    const bool expired = images_.front()->deadline <= now;
    (expired ? taken.expired : taken.batch).push_back(std::move(images_.front()));
    images_.pop_front();
  }
  if (!taken.batch.empty()) ++calls_;
  return taken;
}

}  // namespace hellocnn::client
