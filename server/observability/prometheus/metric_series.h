// The names of the server's metrics, and handles to count with.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <string>
#include <vector>

#include "server/observability/events.h"
#include "server/observability/prometheus/sharded_metrics.h"
#include "server/observability/server_info.h"

namespace hellocnn::server {

// gRPC's names of status codes, by number.
inline constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// The handles of one method.
struct MethodSeries {
  std::array<ShardedMetrics::Counter, kCodes.size()> requests;
  ShardedMetrics::Histogram request_duration;
  ShardedMetrics::Counter in_flight;
  ShardedMetrics::Histogram request_images;  // only if it takes images
  ShardedMetrics::Counter received_bytes;
  ShardedMetrics::Counter sent_bytes;
};

// The handles of one model.
struct ModelSeries {
  prometheus::Gauge* info = nullptr;
  std::vector<ShardedMetrics::Counter> predictions;  // by class index
};

// Numbers that change with requests and images are counted in shards. Gauges that the server sets
// once, or reads at a scrape, are in the registry. Thread-safe.
struct MetricSeries {
  explicit MetricSeries(const ServerInfo& info);
  // The handles point into this object.
  MetricSeries(const MetricSeries&) = delete;
  MetricSeries& operator=(const MetricSeries&) = delete;

  // Add series, or find those that exist already.
  MethodSeries AddMethod(const MethodLabels& labels);
  ModelSeries AddModel(const ModelLabels& labels);
  // Removes what names the model. Counters that other models share stay.
  void RemoveModel(const ModelSeries& model);
  ShardedMetrics::Counter AddReason(ReasonOf what, const std::string& label);

  ShardedMetrics sharded;
  prometheus::Registry registry;

  using Counter = ShardedMetrics::Counter;
  using Histogram = ShardedMetrics::Histogram;

  Counter accepted;
  Counter answered;
  Counter abandoned;
  Counter failed;
  Histogram queue_duration;
  Histogram compute_duration;
  Histogram batch_size;
  std::vector<Counter> busy;  // by worker
  Histogram confidence;
  Histogram input_mean;
  Histogram input_contrast;

  prometheus::Gauge* connections = nullptr;
  prometheus::Gauge* queue_images = nullptr;
  prometheus::Gauge* queue_capacity = nullptr;
  prometheus::Gauge* model_load_duration = nullptr;
  prometheus::Gauge* model_loaded_timestamp = nullptr;
  prometheus::Gauge* serving_versions = nullptr;
  prometheus::Gauge* failed_versions = nullptr;
  prometheus::Gauge* ready = nullptr;

 private:
  void AddImages();
  void AddBatches(const ServerInfo& info);
  void AddLoading();
  prometheus::Family<prometheus::Gauge>& Gauge(const char* name, const char* help);
  prometheus::Family<prometheus::Gauge>& ModelInfo();
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
