#include "server/observability/prometheus/prometheus_metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "base/mutex.h"
#include "server/observability/prometheus/id_table.h"
#include "server/observability/prometheus/metric_series.h"
#include "server/observability/prometheus/process_metrics.h"

namespace hellocnn::server {
namespace {

template <typename Enum>
constexpr std::size_t Index(Enum value) {
  return static_cast<std::size_t>(value);
}

std::size_t CodeIndex(absl::StatusCode code) {
  return Index(code) < kCodes.size() ? Index(code) : Index(absl::StatusCode::kUnknown);
}

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

// Rows that are found by their labels or by their id.
template <typename Labels, typename Row>
class Registered {
 public:
  // Returns the id of these labels. If they are new, `make` makes their row.
  template <typename Make>
  std::size_t FindOrAdd(const Labels& labels, Make make) {
    const auto known = ids_.find(labels);
    if (known != ids_.end()) return known->second;
    if (free_.empty()) return ids_.emplace(labels, rows_.Add(make())).first->second;
    const std::size_t id = free_.back();
    free_.pop_back();
    rows_.Replace(id, make());
    return ids_.emplace(labels, id).first->second;
  }
  // Lets other labels have the id, which no thread uses any more.
  void Remove(std::size_t id) {
    std::erase_if(ids_, [id](const auto& known) { return known.second == id; });
    free_.push_back(id);
  }
  const IdTable<Row>& rows() const { return rows_; }

 private:
  std::map<Labels, std::size_t> ids_;
  IdTable<Row> rows_;
  std::vector<std::size_t> free_;  // ids of removed rows
};

}  // namespace

struct PrometheusMetrics::Series : MetricSeries {
  using MetricSeries::MetricSeries;

  void UpdateGauges() ABSL_LOCKS_EXCLUDED(gauges_mutex) {
    MutexLock lock(&gauges_mutex);
    queue_images->Set(gauges.queued_images ? gauges.queued_images() : 0);
    connections->Set(gauges.connections ? gauges.connections() : 0);
  }

  const MethodSeries& Of(MethodId method) const { return methods.rows()[Index(method)]; }
  const ModelSeries& Of(ModelId model) const { return models.rows()[Index(model)]; }
  const Counter& Of(ReasonId reason) const { return reasons.rows()[Index(reason)]; }

  // Held to add rows and to go through all of them, not to read one by its id: see IdTable.
  mutable Mutex registry_mutex;
  Registered<std::pair<std::string, std::string>, MethodSeries> methods;
  Registered<std::tuple<std::string, std::string, std::string>, ModelSeries> models;
  Registered<std::pair<ReasonOf, std::string>, Counter> reasons;
  std::vector<Counter> released ABSL_GUARDED_BY(registry_mutex);  // those of ReasonOf::kRelease

  // Scrapes hold it while they call the functions, so SetGauges can promise that no call is left.
  Mutex gauges_mutex;
  Gauges gauges ABSL_GUARDED_BY(gauges_mutex);
};

PrometheusMetrics::PrometheusMetrics(const ServerInfo& info)
    : series_(std::make_unique<Series>(info)) {}

PrometheusMetrics::~PrometheusMetrics() = default;

MethodId PrometheusMetrics::AddMethod(const MethodLabels& labels) {
  MutexLock lock(&series_->registry_mutex);
  return MethodId{series_->methods.FindOrAdd(
      {labels.service, labels.method}, [&] { return series_->MetricSeries::AddMethod(labels); })};
}

ModelId PrometheusMetrics::AddModel(const ModelLabels& labels) {
  MutexLock lock(&series_->registry_mutex);
  return ModelId{series_->models.FindOrAdd({labels.name, labels.version, labels.engine}, [&] {
    return series_->MetricSeries::AddModel(labels);
  })};
}

ReasonId PrometheusMetrics::AddReason(ReasonOf what, const std::string& label) {
  MutexLock lock(&series_->registry_mutex);
  const std::size_t before = series_->reasons.rows().size();
  const std::size_t id = series_->reasons.FindOrAdd(
      {what, label}, [&] { return series_->MetricSeries::AddReason(what, label); });
  if (id == before && what == ReasonOf::kRelease) {
    series_->released.push_back(series_->reasons.rows()[id]);
  }
  return ReasonId{id};
}

void PrometheusMetrics::OnReceived(MethodId method, std::size_t bytes) {
  const MethodSeries& series = series_->Of(method);
  series.in_flight.Increment();
  series.received_bytes.Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::OnAccepted(MethodId method, ModelId /*model*/, int images) {
  series_->accepted.Increment(images);
  series_->Of(method).request_images.Observe(images);
}

void PrometheusMetrics::OnRejected(MethodId /*method*/, ReasonId reason) {
  series_->Of(reason).Increment();
}

void PrometheusMetrics::OnEnd(const RequestEnd& end) {
  if (end.sent_images > 0) series_->answered.Increment(end.sent_images);
  if (end.discarded_images > 0) series_->abandoned.Increment(end.discarded_images);
  if (!end.confidences.empty()) {
    const ModelSeries& model = series_->Of(end.model);
    for (const Confidence& one : end.confidences) {
      model.predictions[static_cast<std::size_t>(one.class_index)].Increment();
      series_->confidence.Observe(one.probability);
    }
  }
  const MethodSeries& method = series_->Of(end.method);
  method.requests[CodeIndex(end.code)].Increment();
  method.request_duration.Observe(Seconds(end.duration));
  method.sent_bytes.Increment(static_cast<double>(end.sent_bytes));
  method.in_flight.Decrement();
}

void PrometheusMetrics::OnBusy(int worker, absl::Duration busy) {
  series_->busy[static_cast<std::size_t>(worker)].Increment(Seconds(busy));
}

void PrometheusMetrics::OnBatch(const BatchEnd& batch) {
  series_->batch_size.Observe(batch.images);
  series_->compute_duration.Observe(Seconds(batch.compute));
  series_->Of(batch.release).Increment();
  if (batch.failed_images > 0) series_->failed.Increment(batch.failed_images);
  for (const absl::Duration wait : batch.queue_waits) {
    series_->queue_duration.Observe(Seconds(wait));
  }
  for (const GreyLevels& levels : batch.grey_levels) {
    series_->input_mean.Observe(levels.mean);
    series_->input_contrast.Observe(levels.contrast);
  }
}

void PrometheusMetrics::OnDropped(ModelId /*model*/, int images, ReasonId reason,
                                  std::optional<absl::Duration> waited) {
  series_->Of(reason).Increment(images);
  if (waited.has_value()) series_->queue_duration.Observe(Seconds(*waited));
}

void PrometheusMetrics::OnDiscarded(ModelId /*model*/, int images) {
  series_->abandoned.Increment(images);
}

void PrometheusMetrics::OnLimit(ReasonId reason) { series_->Of(reason).Increment(); }

void PrometheusMetrics::OnModelLoaded(ModelId /*model*/, absl::Duration load) {
  series_->model_load_duration->Set(Seconds(load));
  series_->model_loaded_timestamp->Set(Seconds(absl::Now() - absl::UnixEpoch()));
}

void PrometheusMetrics::OnModelUnloaded(ModelId model) {
  MutexLock lock(&series_->registry_mutex);
  series_->RemoveModel(series_->Of(model));
  series_->models.Remove(Index(model));
}

void PrometheusMetrics::OnVersions(int serving, int failed) {
  series_->serving_versions->Set(serving);
  series_->failed_versions->Set(failed);
}

void PrometheusMetrics::SetReady(bool ready) { series_->ready->Set(ready ? 1 : 0); }

void PrometheusMetrics::SetGauges(Gauges gauges) {
  MutexLock lock(&series_->gauges_mutex);
  series_->gauges = std::move(gauges);
}

std::string PrometheusMetrics::Text() const {
  series_->UpdateGauges();
  std::vector<prometheus::MetricFamily> families = series_->sharded.Collect();
  std::vector<prometheus::MetricFamily> gauges = series_->registry.Collect();
  std::move(gauges.begin(), gauges.end(), std::back_inserter(families));
  std::vector<prometheus::MetricFamily> process = CollectProcessMetrics();
  std::move(process.begin(), process.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

Overview PrometheusMetrics::overview() const {
  series_->UpdateGauges();
  const auto value = [](const auto& metric) { return static_cast<std::int64_t>(metric.Value()); };
  Overview overview{};
  MutexLock lock(&series_->registry_mutex);
  const IdTable<MethodSeries>& methods = series_->methods.rows();
  for (std::size_t m = 0; m < methods.size(); ++m) {
    for (std::size_t c = 0; c < kCodes.size(); ++c) {
      const std::int64_t requests = value(methods[m].requests[c]);
      overview.requests += requests;
      if (c != Index(absl::StatusCode::kOk)) overview.failed_requests += requests;
    }
    // Not below 0, for the reason that AddGauge gives.
    overview.requests_in_flight += std::max<std::int64_t>(value(methods[m].in_flight), 0);
  }
  overview.images = value(series_->answered);
  for (const MetricSeries::Counter& counter : series_->released) overview.batches += value(counter);
  overview.queued_images = value(*series_->queue_images);
  overview.queue_capacity = value(*series_->queue_capacity) *
                            std::max<std::int64_t>(value(*series_->serving_versions), 1);
  overview.connections = value(*series_->connections);
  for (const MetricSeries::Counter& counter : series_->busy) {
    overview.busy += absl::Seconds(counter.Value());
  }
  return overview;
}

}  // namespace hellocnn::server
