// Runs batches on a worker's own engines.
#ifndef HELLOCNN_SERVER_SERVING_BATCH_EXECUTOR_H_
#define HELLOCNN_SERVER_SERVING_BATCH_EXECUTOR_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "server/scheduling/batch_queue.h"
#include "server/scheduling/scheduler.h"
#include "server/serving/batch_reporter.h"

namespace hellocnn::server {

// One worker's engines, one for each queue, and the memory that they need for a batch. Keeps that
// memory from batch to batch: nothing is allocated once it has grown to the largest batch.
//
// Thread-compatible; a worker uses its executor on its own thread only.
class BatchExecutor {
 public:
  // Runs batches of `queue` on `engine` from now on, and reports them as `reporting` says.
  void SetEngine(const BatchQueue* queue, std::unique_ptr<Engine> engine,
                 const Reporting& reporting);
  // Drops the engine of a queue, if there is one.
  void RemoveEngine(const BatchQueue* queue);

  // Returns the engine of `queue`, or null.
  Engine* engine(const BatchQueue* queue) const;
  // Tells events about `queue`, which must have an engine.
  BatchReporter& reporter(const BatchQueue* queue) { return Find(queue)->reporter; }

  // Classifies the batch, whose queue must have an engine. Writes the log-probabilities of each
  // job, and sets the status of each slice: OK if all its images have results, otherwise the status
  // of the first image that has none. A job that fails does so by its own images only. Blocks until
  // done.
  void Execute(Scheduler::Batch* batch);

 private:
  struct Served {
    const BatchQueue* queue;
    std::unique_ptr<Engine> engine;
    BatchReporter reporter;
  };
  Served* Find(const BatchQueue* queue);

  std::vector<Served> served_;
  // The images of the batch, as one span for the engine.
  std::vector<ImageView> images_;
  std::vector<float> log_probabilities_;  // row-major, [images, classes]
  std::vector<absl::Status> statuses_;    // of each image
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_BATCH_EXECUTOR_H_
