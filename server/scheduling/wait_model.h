// Predicts how long the images of a queue take, from the batches that were just taken and computed.
#ifndef HELLOCNN_SERVER_SCHEDULING_WAIT_MODEL_H_
#define HELLOCNN_SERVER_SCHEDULING_WAIT_MODEL_H_

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {

// Each prediction is a mean of the last batches, in which a batch weighs 7/8 of the next one.
//
// Thread-compatible.
class WaitModel {
 public:
  // Notes that a worker took `images` of them, at least one. `left` tells whether others still
  // wait.
  void OnTake(Instant now, int images, bool left);
  // Notes that an engine computed a batch of `images`, at least one.
  void OnComputed(int images, absl::Duration compute);

  // Returns the time in which the workers together take `images` while others wait. It counts all
  // that they do between two batches. Zero until two batches were taken one after the other from a
  // queue that was not empty between them.
  absl::Duration TakeTime(int images) const { return images * taking_.PerImage(); }
  // Returns the time in which an engine computes a batch of `images`. Zero until the first batch.
  absl::Duration ComputeTime(int images) const { return images * computing_.PerImage(); }
  // Returns whether a batch was computed.
  bool has_computed() const { return !computing_.empty(); }

 private:
  class Mean {
   public:
    void Add(absl::Duration time, int images) {
      time_ = time_ * kKept + time;
      images_ = images_ * kKept + images;
    }
    bool empty() const { return images_ == 0; }
    absl::Duration PerImage() const { return images_ > 0 ? time_ / images_ : absl::Duration(); }

   private:
    static constexpr double kKept = 0.875;

    absl::Duration time_;
    double images_ = 0;
  };

  Mean taking_;
  Mean computing_;
  Instant last_take_;
  bool left_ = false;  // images, at the last Take
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_WAIT_MODEL_H_
