// Classifies a labelled set through a server, many calls at a time.
#ifndef HELLOCNN_CLI_COMMANDS_EVALUATION_H_
#define HELLOCNN_CLI_COMMANDS_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/images/render.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

struct EvaluationOptions {
  int classes = 10;        // that the model has, >= 2
  int batch = 64;          // images a call, >= 1
  int concurrency = 4;     // calls in flight at most, >= 1
  int most_attempts = 12;  // of one call that is answered RESOURCE_EXHAUSTED, >= 1
  absl::Duration first_pause =
      absl::Milliseconds(5);  // before the first retry; doubles with each, up to:
  absl::Duration longest_pause = absl::Seconds(1);
};

struct Evaluation {
  std::int64_t images = 0;
  std::int64_t correct = 0;
  std::int64_t retries = 0;   // calls repeated because the queue was full
  ConfusionMatrix confusion;  // as many rows and columns as there are classes
  absl::Duration elapsed;
};

// Images done so far. Called on the caller's thread, after each call.
using Progress = std::function<void(std::int64_t)>;

// Classifies `images` and compares the results with `labels`, of which there are as many. Only
// RESOURCE_EXHAUSTED is retried, after a pause. Returns the first other error, or the last of too
// many attempts, once no call is in flight any more. Blocks. INVALID_ARGUMENT: a label that is not
// below options.classes. FAILED_PRECONDITION: the server's model has another number of classes.
absl::StatusOr<Evaluation> Evaluate(const client::Client& client,
                                    const std::vector<client::Image>& images,
                                    const std::vector<std::uint8_t>& labels,
                                    const EvaluationOptions& options, const Progress& progress);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_EVALUATION_H_
