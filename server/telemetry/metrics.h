// What the rest of the server tells about its work. prometheus-cpp stops in prometheus_metrics.cc.
#ifndef HELLOCNN_SERVER_TELEMETRY_METRICS_H_
#define HELLOCNN_SERVER_TELEMETRY_METRICS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/job.h"

namespace hellocnn::server {

// Thread-safe; never blocks for longer than a counter takes.
class Metrics {
 public:
  virtual ~Metrics() = default;
  // A request (a call, or one request of a stream) is answered. `method` is "Classify",
  // "ClassifyStream" or "GetModel".
  virtual void OnRequest(std::string_view method, absl::StatusCode code,
                         absl::Duration duration) = 0;
  // A request was classified.
  virtual void OnClassified(int images, const JobTiming& timing) = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TELEMETRY_METRICS_H_
