// Reports to Events what a worker did with batches, in ids and numbers.
#ifndef HELLOCNN_SERVER_SERVING_BATCH_REPORTER_H_
#define HELLOCNN_SERVER_SERVING_BATCH_REPORTER_H_

#include <array>
#include <vector>

#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "server/observability/events.h"
#include "server/scheduling/batch_queue.h"

namespace hellocnn::server {

// The listener of reports, and what it needs to know of the model.
struct Reporting {
  Events* events = NoEvents();  // outlives what reports to it
  ModelId model{};
  Normalization normalization;  // of the model's inputs
};

// The reporter of one worker, whose thread alone uses it. It allocates nothing once its buffers
// have grown to the largest batch, and measures no pixels if nobody wants statistics.
class BatchReporter {
 public:
  // Registers the reasons. May block for a short time.
  explicit BatchReporter(const Reporting& reporting);

  // Reports that an engine has run on the batch. Its slices must have their statuses, and its jobs
  // must still exist.
  void OnBatch(const BatchQueue::Taken& batch, absl::Duration compute);
  // The same of a spare batch, whose images and jobs are nobody's concern.
  void OnSpareBatch(const BatchQueue::Taken& batch, absl::Duration compute) const;
  // Reports that a job, or the rest of it, has left the queue without being computed.
  void OnDropped(const BatchQueue::Dropped& dropped) const;
  // Reports that a job has failed of which `images` images had been computed.
  void OnDiscarded(int images) const { reporting_.events->OnDiscarded(reporting_.model, images); }

 private:
  Reporting reporting_;
  std::array<ReasonId, 4> releases_;  // by Release
  ReasonId deadline_;
  ReasonId cancelled_;
  ReasonId displaced_;
  ReasonId failed_;
  std::vector<absl::Duration> waits_;
  std::vector<GreyLevels> grey_levels_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_BATCH_REPORTER_H_
