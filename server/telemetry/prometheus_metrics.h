// The server's metrics as Prometheus families. docs: the help text of each family in
// prometheus_metrics.cc.
#ifndef HELLOCNN_SERVER_TELEMETRY_PROMETHEUS_METRICS_H_
#define HELLOCNN_SERVER_TELEMETRY_PROMETHEUS_METRICS_H_

#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/telemetry/metrics.h"

namespace prometheus {
class Collectable;
}  // namespace prometheus

namespace hellocnn::server {

// Labels have values from fixed sets alone, so the number of series is bounded whatever clients
// send. Every series exists from the start, at 0: rates and alerts need no special case for what
// has not happened yet.
//
// Thread-safe. Counting finds its series by index, without a lock or an allocation; a histogram
// takes its own lock for the time of an addition.
class PrometheusMetrics : public Metrics, public BatchObserver {
 public:
  // `queue_capacity` in images.
  explicit PrometheusMetrics(int queue_capacity);
  ~PrometheusMetrics() override;

  // A method other than the three of Metrics::OnRequest counts as "other".
  void OnRequest(std::string_view method, absl::StatusCode code, absl::Duration duration) override;
  void OnClassified(int images, const JobTiming& timing) override;
  void OnBatch(int images, absl::Duration compute) override;
  void OnDropped(int images, const absl::Status& status) override;

  // Asked at each scrape for the images that wait; thread-safe. Until then, and after null, the
  // gauge is 0. Returns when no scrape still calls the one before: after SetQueueSource(nullptr)
  // what it read may go.
  void SetQueueSource(std::function<int()> queued_images);

  // What a MetricsEndpoint serves. May outlive the metrics: it then shows the last values.
  std::shared_ptr<prometheus::Collectable> collectable() const;

 private:
  struct Series;
  const std::shared_ptr<Series> series_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TELEMETRY_PROMETHEUS_METRICS_H_
