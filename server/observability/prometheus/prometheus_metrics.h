// The server's metrics as Prometheus families. docs/reference/metrics.md lists them.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/observability/events.h"
#include "server/observability/server_info.h"

namespace hellocnn::server {

// The numbers that the status page shows.
struct Overview {
  std::int64_t requests;         // ended, with any code
  std::int64_t failed_requests;  // ended with another code than OK
  std::int64_t requests_in_flight;
  std::int64_t images;  // computed and sent in OK responses
  std::int64_t batches;
  std::int64_t queued_images;
  std::int64_t queue_capacity;  // images, of all queues together
  std::int64_t connections;
  absl::Duration busy;  // of all workers together
};

// What was counted of one model since it was loaded.
struct ModelOverview {
  std::int64_t images;       // in OK responses
  std::int64_t batches;      // computed
  std::int64_t ok_requests;  // ended with OK
  std::int64_t failed_requests;
  absl::Duration request_time;  // of all requests together, those that failed included
  absl::Duration queue_time;    // of all requests together
  absl::Duration compute_time;  // of all batches together
};

// Nothing that a client sends becomes a label, so clients cannot make the number of series grow.
// Every series exists, at 0, as soon as its labels are registered, so rates and alerts need no
// special case for what has not happened yet.
//
// What concerns a model has its name and version as labels. They are empty for requests that are
// not for a model, or that ended before the server knew for which. A model that is unloaded has no
// series any more. Its counts are added to those of all models that were unloaded, so sums over
// models never fall, and models that come and go do not make the number of series grow.
//
// Thread-safe. Counting finds its series by index, takes no lock, and allocates nothing after a
// thread's first time: see sharded_metrics.h.
class PrometheusMetrics : public Events {
 public:
  // Functions that each scrape calls for the gauges' values. They must be thread-safe, and must not
  // call this object.
  struct Gauges {
    std::function<int(ModelId)> queued_images;  // in the queue of the model
    std::function<int()> connections;
  };

  explicit PrometheusMetrics(const ServerInfo& info);
  ~PrometheusMetrics() override;

  MethodId AddMethod(const MethodLabels& labels) override;
  ModelId AddModel(const ModelLabels& labels) override;
  ReasonId AddReason(ReasonOf what, const std::string& label) override;
  bool wants_statistics() const override { return true; }

  void OnReceived(MethodId method, std::size_t bytes) override;
  void OnAccepted(MethodId method, ModelId model, int images) override;
  void OnRejected(MethodId method, ModelId model, ReasonId reason) override;
  void OnEnd(const RequestEnd& end) override;
  void OnBusy(int worker, absl::Duration busy) override;
  void OnBatch(const BatchEnd& batch) override;
  void OnDropped(ModelId model, int images, ReasonId reason,
                 std::optional<absl::Duration> waited) override;
  void OnDiscarded(ModelId model, int images) override;
  void OnCandidate(ModelId model, const std::string& mode, double share) override;
  void OnCompared(const ComparisonEnd& comparison) override;
  void OnNotCompared(ModelId candidate, ReasonId reason) override;
  void OnLimit(ReasonId reason) override;
  void OnModelLoaded(ModelId model, absl::Duration load) override;
  void OnModelUnloaded(ModelId model) override;
  void OnVersions(int serving, int failed) override;

  // Sets the gauge that says whether the server serves.
  void SetReady(bool ready);

  // Replaces the functions of the gauges. A gauge without a function is 0. Blocks until no scrape
  // calls the earlier functions any more, so what they read may be destroyed after SetGauges({}).
  void SetGauges(Gauges gauges);

  // Returns all metrics, and those of the process, in Prometheus' text format.
  std::string Text() const;
  Overview overview() const;
  ModelOverview overview(ModelId model) const;

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_
