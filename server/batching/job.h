// One call's images on their way through the batcher.
#ifndef HELLOCNN_SERVER_BATCHING_JOB_H_
#define HELLOCNN_SERVER_BATCHING_JOB_H_

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/prediction.h"

namespace hellocnn::server {

// Where a job spent its time. queue + compute is the time from Submit to the last result.
struct JobTiming {
  absl::Duration queue;    // Submit until a worker took the first image
  absl::Duration compute;  // from then until the last image was classified
  int largest_batch =
      0;  // images in the largest batch that had a part of this job; 0 if it was dropped
};

// Made by the caller, shared with the batcher until `done` has returned.
struct Job {
  // Runs exactly once for a job that Submit accepted, on a worker thread, with no lock held; must
  // not block. OK: as many predictions as images. DEADLINE_EXCEEDED or CANCELLED: dropped before
  // compute. INTERNAL: the engine failed.
  using Done =
      std::function<void(const absl::Status&, std::span<const Prediction>, const JobTiming&)>;

  std::vector<ImageView> images;  // at least 1; the pixels stay valid until `done` has returned
  absl::Time deadline = absl::InfiniteFuture();
  Done done;
  // Set by the caller at any time, from any thread. What is still queued is then dropped before
  // compute.
  std::atomic<bool> cancelled{false};
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_BATCHING_JOB_H_
