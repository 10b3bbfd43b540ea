// One call's images on their way through the batcher.
#ifndef HELLOCNN_SERVER_SCHEDULING_JOB_H_
#define HELLOCNN_SERVER_SCHEDULING_JOB_H_

#include <atomic>
#include <list>
#include <memory_resource>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "hellocnn/image.h"

namespace hellocnn::server {

// Where a job spent its time. queue + compute is the time from Submit to the last result.
struct JobTiming {
  absl::Duration queue;    // Submit until a worker took the first image
  absl::Duration compute;  // from then until the last image was classified
  int largest_batch =
      0;  // images in the largest batch that had a part of this job; 0 if it was dropped
};

// The caller's: a part of what it keeps for a request, so that queueing allocates nothing. The
// batcher's from Submit until Done. Can be used again after that.
class Job {
 public:
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Sets what Submit is to queue: the images, at least 1, and room for their log-probabilities,
  // row-major, [images.size(), classes of the engine]. Both, and the pixels, stay until Done is
  // called.
  void Prepare(std::span<const ImageView> images, std::span<float> log_probabilities,
               Instant deadline);

  // What is still queued is dropped before compute. From any thread, at any time; without effect
  // when the job is done, and undone by Prepare.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  // Called exactly once for a job that Submit accepts, on the thread that submits it, before a
  // worker can take the job. The queue is locked meanwhile: this may count, and must do nothing
  // else.
  virtual void Accepted() {}

  // Called exactly once for a job that Submit accepted, on a worker thread, with no lock held. It
  // is the batcher's last use of the job, which may be gone or queued again when it returns. Must
  // not block.
  virtual void Done() = 0;

  std::span<const ImageView> images() const { return images_; }
  Instant deadline() const { return deadline_; }
  // All rows are written if the job succeeds; some may be if it fails.
  std::span<float> log_probabilities() const { return log_probabilities_; }

  // How it ended, for Done. OK: every image has its log-probabilities. DEADLINE_EXCEEDED or
  // CANCELLED: dropped before compute. INVALID_ARGUMENT: an image's pixels are too large. INTERNAL:
  // the engine failed.
  const absl::Status& status() const { return status_; }
  const JobTiming& timing() const { return timing_; }
  // Images of it that an engine has computed: fewer than all if it failed.
  int computed() const { return computed_; }

 protected:
  Job() = default;
  virtual ~Job() = default;

 private:
  friend class BatchQueue;

  int size() const { return static_cast<int>(images_.size()); }

  std::span<const ImageView> images_;
  std::span<float> log_probabilities_;
  Instant deadline_;
  std::atomic<bool> cancelled_{false};

  // BatchQueue's.
  absl::Status status_;  // OK until it fails; then it does not change
  JobTiming timing_;
  Instant submitted_;
  Instant first_taken_;
  int taken_ = 0;        // images [0, taken_) have left the queue
  int outstanding_ = 0;  // slices that are being computed
  int computed_ = 0;
  bool queued_ = false;
  std::pmr::list<Job*>::iterator position_;  // while queued_
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_JOB_H_
