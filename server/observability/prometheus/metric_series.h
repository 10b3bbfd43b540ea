// The names of the server's metrics, and handles to count with.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/observability/events.h"
#include "server/observability/prometheus/id_table.h"
#include "server/observability/prometheus/sharded_metrics.h"
#include "server/observability/server_info.h"

namespace hellocnn::server {

// gRPC's names of status codes, by number.
inline constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// Families whose totals are asked for.
inline constexpr char kRequests[] = "hellocnn_requests_total";
inline constexpr char kInFlight[] = "hellocnn_requests_in_flight";
inline constexpr char kImagesComputed[] = "hellocnn_images_computed_total";
inline constexpr char kBatches[] = "hellocnn_batch_released_total";
inline constexpr char kRequestDuration[] = "hellocnn_request_duration_seconds";
inline constexpr char kQueueDuration[] = "hellocnn_queue_duration_seconds";
inline constexpr char kComputeDuration[] = "hellocnn_compute_duration_seconds";
inline constexpr char kBusy[] = "hellocnn_worker_busy_seconds_total";

// The handles of one method.
struct MethodSeries {
  ShardedMetrics::Counter in_flight;
  ShardedMetrics::Counter received_bytes;
  ShardedMetrics::Counter sent_bytes;
};

// The handles of one method of one model.
struct RequestSeries {
  std::array<ShardedMetrics::Counter, kCodes.size()> requests;
  ShardedMetrics::Histogram duration;
  ShardedMetrics::Histogram images;  // only if the method takes images
};

// The handles of one candidate.
struct ComparisonSeries {
  struct OfClass {
    ShardedMetrics::Counter same;
    ShardedMetrics::Counter different;
  };
  std::vector<OfClass> images;  // by the class that the current version says
  ShardedMetrics::Histogram distance;
};

// The handles of one model, whose series have its name and version as labels. For kNoModel the
// labels are empty, and only the first two members have handles.
struct ModelSeries {
  using Counter = ShardedMetrics::Counter;
  using Histogram = ShardedMetrics::Histogram;

  prometheus::Labels labels;
  std::vector<std::string> class_labels;  // by class index
  IdTable<RequestSeries> methods;         // by MethodId
  IdTable<Counter> reasons;               // by ReasonId

  Counter accepted;
  Counter answered;
  Counter abandoned;
  Counter failed;
  Histogram queue_duration;
  Histogram compute_duration;
  Histogram batch_size;
  std::vector<Counter> predictions;  // by class index
  Histogram confidence;
  Histogram input_mean;
  Histogram input_contrast;

  prometheus::Gauge* queue_images = nullptr;
  prometheus::Gauge* load_duration = nullptr;
  prometheus::Gauge* loaded_timestamp = nullptr;
  // The gauge of a candidate, or null.
  prometheus::Gauge* candidate_share = nullptr;
  // These and all others, with their families.
  std::vector<std::pair<prometheus::Family<prometheus::Gauge>*, prometheus::Gauge*>> gauges;
};

// Numbers that change with requests and images are counted in shards. Gauges that the server sets
// once, or reads at a scrape, are in the registry. Counting is thread-safe; one thread at a time
// may add or remove series.
struct MetricSeries {
  explicit MetricSeries(const ServerInfo& info);
  // The handles point into this object.
  MetricSeries(const MetricSeries&) = delete;
  MetricSeries& operator=(const MetricSeries&) = delete;

  // Add series, or find those that exist already.
  MethodSeries AddMethod(const MethodLabels& labels);
  ModelSeries AddModel(const ModelLabels& labels);
  static ModelSeries NoModel();
  // Adds what a method or a reason has of its own for each model. If a reason or a method has
  // nothing to do with models, all models have the same series.
  RequestSeries AddRequests(const MethodLabels& method, const ModelSeries& model);
  ShardedMetrics::Counter AddReason(ReasonOf what, const std::string& label,
                                    const ModelSeries& model);
  // Adds what a model has only as a candidate, or finds what it has already.
  ComparisonSeries AddComparisons(const ModelSeries& candidate);
  // Sets the share of a candidate, and its mode. A share of 0 removes both.
  void SetCandidate(const std::string& mode, double share, ModelSeries* model);
  // Removes the series of a model. What its counters and histograms have counted is kept in the
  // series of all models that were removed, whose version says that they are those until `now`.
  void RemoveModel(const ModelSeries& model, absl::Time now);

  ShardedMetrics sharded;
  prometheus::Registry registry;
  const int queue_capacity;  // images, of each model

  std::vector<ShardedMetrics::Counter> busy;  // by worker
  prometheus::Gauge* connections = nullptr;
  prometheus::Gauge* serving_versions = nullptr;
  prometheus::Gauge* failed_versions = nullptr;
  prometheus::Gauge* ready = nullptr;

 private:
  void AddWorkers(int workers);
  void AddImages(ModelSeries* model);
  void AddBatches(ModelSeries* model);
  void AddStatistics(const std::vector<std::string>& class_labels, ModelSeries* model);
  void AddGauges(const ModelLabels& labels, ModelSeries* model);
  prometheus::Family<prometheus::Gauge>& Gauge(const char* name, const char* help);
  // Adds a gauge of a model, with the label `engine` if that is not empty.
  prometheus::Gauge* AddGauge(const char* name, const char* help, const std::string& engine,
                              ModelSeries* model);
  prometheus::Family<prometheus::Gauge>& CandidateShare();

  absl::Time last_removed_ = absl::InfinitePast();
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_METRIC_SERIES_H_
