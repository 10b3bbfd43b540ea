// Which images go into the next call of a BatchingClient. Pure policy: no thread, lock or clock.
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

// An image, and its answer once `done` says so.
struct PendingImage {
  PendingImage(Image pending, Instant until) : image(std::move(pending)), deadline(until) {}

  // Called once.
  void Answer(absl::StatusOr<ClassifyResult> answer) {
    result = std::move(answer);
    done.Notify();
  }

  Image image;
  const Instant deadline;
  absl::StatusOr<ClassifyResult> result;
  Notification done;
};

// First in, first out. Gives out batches as long as fewer than max_calls_in_flight of them are out.
// Thread-compatible.
class ImageQueue {
 public:
  using Images = std::vector<std::shared_ptr<PendingImage>>;

  struct Taken {
    Images batch;    // what to send now; if not empty, Finish must follow. Empty: nothing to do
    Images expired;  // left the queue because their deadline has come
  };

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::Status Validate(const BatchingOptions& options);

  // `options` are valid.
  explicit ImageQueue(const BatchingOptions& options) : options_(options) {}

  // RESOURCE_EXHAUSTED: queue_capacity images wait.
  absl::Status Push(std::shared_ptr<PendingImage> image);
  Taken Take(Instant now);
  // The call of a batch has ended.
  void Finish() { --calls_; }

  int waiting() const { return static_cast<int>(images_.size()); }
  // Nothing waits, and nothing is out.
  bool idle() const { return images_.empty() && calls_ == 0; }

 private:
  const BatchingOptions options_;
  std::deque<std::shared_ptr<PendingImage>> images_;
  int calls_ = 0;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_IMAGE_QUEUE_H_
