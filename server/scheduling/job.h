// The images of one request on their way through a batch queue.
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
#include "server/scheduling/job_order.h"

namespace hellocnn::server {

// How long a job took. queue + compute is the time from Submit to the last result.
struct JobTiming {
  absl::Duration queue;    // from Submit until a worker took the first image
  absl::Duration compute;  // from then until the last image was classified
  int largest_batch =
      0;  // images in the largest batch that had a part of this job; 0 if it was dropped
};

// The caller owns the job, as a part of its state for a request, so that queueing allocates
// nothing. From Submit until OnFinished, only the queue and the workers may use it. After that, the
// caller may use it again.
class Job : private Waiting {
 public:
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Sets the images that Submit will queue, at least one, and the memory for their
  // log-probabilities, row-major, [images.size(), classes of the engine]. Both, and the pixels,
  // must live until OnFinished is called. `origin` decides when it is its turn.
  void Prepare(std::span<const ImageView> images, std::span<float> log_probabilities,
               Instant deadline, const Origin& origin = {});

  // Cancels the job: the images that are still queued will be dropped before compute. May be called
  // on any thread at any time. Has no effect if the job has finished. Prepare undoes it.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  // Called exactly once for a job that Submit accepts, on the thread that submits it, before a
  // worker can take the job. The queue is locked during the call, so an implementation may count
  // but must do nothing else.
  virtual void Accepted() {}

  // Called exactly once for a job that Submit accepted, on a worker thread, with no lock held. This
  // is the worker's last use of the job, which may be destroyed or queued again when the call
  // returns. Must not block.
  virtual void OnFinished() = 0;

  std::span<const ImageView> images() const { return images_; }
  Instant deadline() const { return deadline_; }
  // Returns the log-probabilities. All rows are written if the job succeeds. If it fails, some may
  // be written.
  std::span<float> log_probabilities() const { return log_probabilities_; }

  // Returns how the job ended. OnFinished may read it. OK: every image has its log-probabilities.
  // DEADLINE_EXCEEDED or CANCELLED: the job was dropped before compute. RESOURCE_EXHAUSTED: it was
  // dropped for the job of another caller, and may be sent again (RetryAfter). INVALID_ARGUMENT:
  // the pixels of an image are too large. INTERNAL: the engine failed.
  const absl::Status& status() const { return status_; }
  const JobTiming& timing() const { return timing_; }
  // Returns the number of its images that an engine has computed. If the job failed, this may be
  // less than the number of images.
  int computed() const { return computed_; }

 protected:
  Job() = default;
  virtual ~Job() = default;

 private:
  friend class BatchQueue;

  bool is_queued() const { return queued > 0; }
  int size() const { return static_cast<int>(images_.size()); }

  std::span<const ImageView> images_;
  std::span<float> log_probabilities_;
  Instant deadline_;
  std::atomic<bool> cancelled_{false};

  // The following members belong to BatchQueue.
  absl::Status status_;  // OK until the first error, which it keeps
  JobTiming timing_;
  Instant submitted_;
  Instant first_taken_;
  int taken_ = 0;        // images [0, taken_) have left the queue
  int outstanding_ = 0;  // slices that are being computed
  int computed_ = 0;
  std::pmr::list<Job*>::iterator position_;  // by arrival, while it is queued
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_JOB_H_
