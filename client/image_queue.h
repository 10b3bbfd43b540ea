// Decides which images go into the next call of a BatchingClient. Pure policy: it has no thread,
// lock or clock.
#ifndef HELLOCNN_CLIENT_IMAGE_QUEUE_H_
#define HELLOCNN_CLIENT_IMAGE_QUEUE_H_

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/client/batching_client.h"

namespace hellocnn::client {

// An image and, once `finished` is notified, its result.
struct PendingImage {
  PendingImage(Image pending, Instant until) : image(std::move(pending)), deadline(until) {}

  // Sets the result and notifies `finished`. Must be called once.
  void Finish(absl::StatusOr<ClassifyResult> outcome) {
    result = std::move(outcome);
    finished.Notify();
  }

  Image image;
  const Instant deadline;
  absl::StatusOr<ClassifyResult> result;
  Notification finished;
};

// A first-in, first-out queue. It gives out batches while fewer than max_calls_in_flight of them
// are in flight. Thread-compatible.
class ImageQueue {
 public:
  using Images = std::vector<std::shared_ptr<PendingImage>>;

  struct Taken {
    Images batch;    // to send now, followed by OnCallEnd; empty if there is nothing to send
    Images expired;  // removed from the queue because their deadline has passed
  };

  // Returns OK, or INVALID_ARGUMENT if an option is out of range. The message names the option.
  static absl::Status Validate(const BatchingOptions& options);

  // `options` must be valid.
  explicit ImageQueue(const BatchingOptions& options) : options_(options) {}

  // Appends `image`. Fails with RESOURCE_EXHAUSTED if queue_capacity images wait.
  absl::Status Push(std::shared_ptr<PendingImage> image);
  Taken Take(Instant now);
  // Records that the call of a batch has ended.
  void OnCallEnd() { --calls_; }

  int waiting() const { return static_cast<int>(images_.size()); }
  // Returns true if no image waits and no batch is in flight.
  bool idle() const { return images_.empty() && calls_ == 0; }

 private:
  const BatchingOptions options_;
  std::deque<std::shared_ptr<PendingImage>> images_;
  int calls_ = 0;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_IMAGE_QUEUE_H_
