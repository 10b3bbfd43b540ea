// What the server's own metrics say about a measurement, beside what the client saw.
#ifndef HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_
#define HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_

#include <atomic>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "loadgen/run/metrics_page.h"

namespace hellocnn::load {

// Covers everything between two looks at the server, including the warm-up and requests of other
// clients. Values that its metrics do not report are empty.
struct ServerView {
  // Why there are no values: the second look failed, or another process answered it. Empty if there
  // are some.
  std::string problem;
  bool restarted = false;
  std::optional<double> images_answered;
  std::optional<double> images_dropped;  // accepted, but expired, cancelled or failed in the queue
  std::optional<double> requests_answered;  // OK, with images
  std::optional<double> requests_refused;
  std::optional<double> batches;
  std::optional<double> mean_batch_size;
  std::optional<double> mean_request_seconds;  // from receiving a request to its response
  std::optional<double> mean_queue_seconds;    // in the queue, for each request
  std::optional<double> mean_compute_seconds;  // for each batch
  std::optional<double> cpu_seconds;
  double seconds = 0;  // time between the looks
};

struct Look {
  MetricsPage page;
  Instant at;
};

// Returns the differences from `before` to `after`. They are left out if the two are of different
// processes: the start time has changed, or a counter has decreased.
ServerView Difference(const Look& before, const Look& after);

// Reads the metrics at `url`. Blocks as HttpGet does, and ends with `stop` as it does. A server
// counts a request a moment after it has sent the response. If requests are in flight, this
// function therefore looks again a few times. Returns the errors of HttpGet. INVALID_ARGUMENT names
// the URL and what was found there instead of metrics.
absl::StatusOr<Look> LookAt(const std::string& url, const std::atomic<bool>& stop);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SERVER_VIEW_H_
