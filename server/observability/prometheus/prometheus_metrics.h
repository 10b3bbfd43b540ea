// The server's metrics as Prometheus families. docs/reference/metrics.md lists them.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/model_card.h"
#include "server/observability/metrics.h"
#include "server/runtime/batcher.h"

namespace hellocnn::server {

// What is known of the server before it serves, and never changes.
struct ServerInfo {
  std::string version;
  std::string compiler;
  std::string libtorch;
  std::string grpc;
  std::string engine;
  ModelCard card;
  int workers = 0;
  int queue_capacity = 0;  // images
};

// What a person wants to know at a glance.
struct Overview {
  std::int64_t requests;         // answered, with any code
  std::int64_t failed_requests;  // answered with another code than OK
  std::int64_t requests_in_flight;
  std::int64_t images;  // computed and answered
  std::int64_t batches;
  std::int64_t queued_images;
  std::int64_t connections;
  absl::Duration busy;  // of all workers together
};

// Labels have values from fixed sets alone, so the number of series is bounded whatever clients
// send. Every series exists from the start, at 0: rates and alerts need no special case for what
// has not happened yet.
//
// Thread-safe. Counting finds its series by index, takes no lock, and allocates nothing after a
// thread's first time: see sharded_metrics.h.
class PrometheusMetrics : public Metrics, public BatchObserver {
 public:
  // Read at each scrape; thread-safe.
  struct Gauges {
    std::function<int()> queued_images;
    std::function<int()> connections;
  };

  explicit PrometheusMetrics(const ServerInfo& info);
  ~PrometheusMetrics() override;

  void OnReceived(Method method, std::size_t bytes) override;
  void OnAccepted(Method method, int images) override;
  void OnRefused(Refusal reason) override;
  void OnAnswered(const AnswerStatistics& answer) override;
  void OnAbandoned(int images) override;  // of Metrics and of BatchObserver: they mean the same
  void OnEnd(Method method, absl::StatusCode code, absl::Duration duration,
             std::size_t bytes) override;

  void OnBusy(int worker, absl::Duration busy) override;
  void OnBatch(const BatchQueue::Taken& batch, absl::Duration compute) override;
  void OnDropped(const BatchQueue::Dropped& dropped) override;

  // The model is ready; loading it and warming up took `load`.
  void OnLoaded(absl::Duration load);
  // Whether the server serves now.
  void SetReady(bool ready);

  // A gauge without a function is 0. Returns when no scrape still calls those before: after
  // SetGauges({}) what they read may go.
  void SetGauges(Gauges gauges);

  // In Prometheus' text format, with those of the process.
  std::string Text() const;
  Overview overview() const;

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROMETHEUS_METRICS_H_
