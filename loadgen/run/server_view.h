// What the server's own metrics say of a measurement, beside what the client saw.
#ifndef HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_
#define HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "loadgen/run/metrics_page.h"

namespace hellocnn::load {

// Of all that happened between two looks at the server, the warm-up included, and others' requests
// too. What its metrics don't tell is left out.
struct ServerView {
  std::optional<double> images_answered;
  std::optional<double> images_dropped;  // accepted, but expired, cancelled or failed in the queue
  std::optional<double> requests_answered;  // OK, with images
  std::optional<double> requests_refused;
  std::optional<double> batches;
  std::optional<double> mean_batch_size;
  std::optional<double> mean_request_seconds;  // from receiving a request to its answer
  std::optional<double> mean_queue_seconds;    // of a request
  std::optional<double> mean_compute_seconds;  // of a batch
  std::optional<double> cpu_seconds;
  double seconds = 0;  // between the looks
};

struct Look {
  MetricsPage page;
  Instant at;
};

// The differences from `before` to `after`, two looks at the same server. INVALID_ARGUMENT: a
// counter has gone down, as after a restart.
absl::StatusOr<ServerView> Difference(const Look& before, const Look& after);

// Looks at `url`; blocks as HttpGet. A server counts a request a moment after it has sent the
// answer: if some are under way, looks again a few times. Errors as HttpGet; INVALID_ARGUMENT names
// the URL and what is there instead of metrics.
absl::StatusOr<Look> LookAt(const std::string& url);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_
