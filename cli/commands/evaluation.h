// Classifies a labelled set through a server, with several calls in flight.
#ifndef HELLOCNN_CLI_COMMANDS_EVALUATION_H_
#define HELLOCNN_CLI_COMMANDS_EVALUATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/commands/full_queue.h"
#include "cli/images/render.h"
#include "cli/progress.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

struct EvaluationOptions {
  int classes = 10;     // classes of the model, >= 2
  int batch = 64;       // images in a call, >= 1
  int concurrency = 4;  // most calls in flight, >= 1
  FullQueueBackoff backoff;
  client::ModelVersion model;
};

struct Evaluation {
  std::int64_t images = 0;
  std::int64_t correct = 0;
  std::int64_t retries = 0;   // retries of calls because the queue was full
  ConfusionMatrix confusion;  // as many rows and columns as there are classes
  std::vector<int> classes;   // what the server said of each image
  absl::Duration elapsed;

  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(images); }
};

// Classifies `images` and compares the results with `labels`, of which there are as many. Blocks.
// Calls `progress` after each call.
// Only RESOURCE_EXHAUSTED is retried, after a backoff. Returns the first other error, or the last
// RESOURCE_EXHAUSTED of a call whose attempts are used up. It returns errors once no call is in
// flight any more. INVALID_ARGUMENT: a label is not below options.classes. FAILED_PRECONDITION: the
// server's model has another number of classes.
absl::StatusOr<Evaluation> Evaluate(const client::Client& client,
                                    const std::vector<client::Image>& images,
                                    const std::vector<int>& labels,
                                    const EvaluationOptions& options, const Progress& progress);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_EVALUATION_H_
