// The names of the server's metrics and handles to count with.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <cstddef>
#include <vector>

#include "hellocnn/topology.h"
#include "server/observability/metrics.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/observability/prometheus/sharded_metrics.h"
#include "server/scheduling/batch_queue.h"

namespace hellocnn::server {

// gRPC's names, by number: absl spells them the same way, but not for the numbers that it does not
// know.
inline constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
inline constexpr std::size_t kReleases = 4;

// What changes with requests and images is counted in shards; what a server sets once or reads at a
// scrape are gauges of the registry.
struct MetricSeries {
  explicit MetricSeries(const ServerInfo& info);
  // The handles point into it.
  MetricSeries(const MetricSeries&) = delete;
  MetricSeries& operator=(const MetricSeries&) = delete;

  ShardedMetrics sharded;
  prometheus::Registry registry;

  using Counter = ShardedMetrics::Counter;
  using Histogram = ShardedMetrics::Histogram;

  std::array<std::array<Counter, kCodes.size()>, kMethods> requests;
  std::array<Histogram, kMethods> request_duration;
  std::array<Counter, kMethods> in_flight;
  std::array<Histogram, kMethods> request_images;  // GetModel has none
  std::array<Counter, kMethods> received_bytes;
  std::array<Counter, kMethods> sent_bytes;
  std::array<Counter, kRefusals> refused;
  Counter accepted;
  Counter dropped_deadline;
  Counter dropped_cancelled;
  Counter dropped_failed;
  Counter answered;
  Counter abandoned;
  Counter failed;
  Histogram queue_duration;
  Histogram compute_duration;
  Histogram batch_size;
  std::array<Counter, kReleases> released;
  std::vector<Counter> busy;  // by worker
  std::array<Counter, kClasses> predictions;
  Histogram confidence;
  Histogram input_mean;
  Histogram input_contrast;

  prometheus::Gauge* connections = nullptr;
  prometheus::Gauge* queue_images = nullptr;
  prometheus::Gauge* model_load_duration = nullptr;
  prometheus::Gauge* model_loaded_timestamp = nullptr;
  prometheus::Gauge* ready = nullptr;

 private:
  void AddRequests();
  void AddImages();
  void AddBatches(const ServerInfo& info);
  void AddModel(const ServerInfo& info);
  prometheus::Family<prometheus::Gauge>& Gauge(const char* name, const char* help);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
