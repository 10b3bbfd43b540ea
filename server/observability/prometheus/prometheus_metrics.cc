#include "server/observability/prometheus/prometheus_metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
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
    std::size_t id;
    if (free_.empty()) {
      id = rows_.Add(make());
    } else {
      id = free_.back();
      free_.pop_back();
      rows_[id] = make();
    }
    ids_.emplace(labels, id);
    return id;
  }
  // Lets other labels have the id, which no thread uses any more.
  void Remove(std::size_t id) {
    std::erase_if(ids_, [id](const auto& known) { return known.second == id; });
    rows_[id] = {};
    free_.push_back(id);
  }
  const std::map<Labels, std::size_t>& ids() const { return ids_; }
  const IdTable<Row>& rows() const { return rows_; }
  IdTable<Row>& rows() { return rows_; }

 private:
  std::map<Labels, std::size_t> ids_;
  IdTable<Row> rows_;
  std::vector<std::size_t> free_;  // ids of removed rows
};

struct Method {
  MethodLabels labels;
  MethodSeries series;
};

}  // namespace

struct PrometheusMetrics::Series : MetricSeries {
  explicit Series(const ServerInfo& info) : MetricSeries(info) {
    models.FindOrAdd({"", ""}, [] { return NoModel(); });  // the first id is kNoModel
  }

  const MethodSeries& Of(MethodId method) const { return methods.rows()[Index(method)].series; }
  const ModelSeries& Of(ModelId model) const { return models.rows()[Index(model)]; }
  const RequestSeries& Of(MethodId method, ModelId model) const {
    return Of(model).methods[Index(method)];
  }
  const ShardedMetrics::Counter& Of(ReasonId reason, ModelId model) const {
    return Of(model).reasons[Index(reason)];
  }

  // Asks for the values of the gauges. Returns the number of images in all queues together.
  int UpdateGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    connections->Set(gauges.connections ? gauges.connections() : 0);
    int all_queued = 0;
    for (const auto& [labels, id] : models.ids()) {
      if (ModelId{id} == kNoModel) continue;
      const int queued = gauges.queued_images ? gauges.queued_images(ModelId{id}) : 0;
      models.rows()[id].queue_images->Set(queued);
      all_queued += queued;
    }
    return all_queued;
  }

  // Held to add rows and to go through all of them, not to read one by its id: see IdTable. Scrapes
  // hold it while they call the functions of the gauges, so SetGauges can promise that no call is
  // left.
  mutable Mutex mutex;
  Registered<std::pair<std::string, std::string>, Method> methods;
  Registered<std::pair<std::string, std::string>, ModelSeries> models;
  Registered<std::pair<ReasonOf, std::string>, std::pair<ReasonOf, std::string>> reasons;
  Gauges gauges ABSL_GUARDED_BY(mutex);

  // Held for a moment only, by whoever counts a comparison too.
  Mutex comparisons_mutex;
  std::map<ModelId, ComparisonSeries> comparisons ABSL_GUARDED_BY(comparisons_mutex);
};

PrometheusMetrics::PrometheusMetrics(const ServerInfo& info)
    : series_(std::make_unique<Series>(info)) {}

PrometheusMetrics::~PrometheusMetrics() = default;

MethodId PrometheusMetrics::AddMethod(const MethodLabels& labels) {
  MutexLock lock(&series_->mutex);
  return MethodId{series_->methods.FindOrAdd({labels.service, labels.method}, [&] {
    for (const auto& [name, id] : series_->models.ids()) {
      ModelSeries& model = series_->models.rows()[id];
      model.methods.Add(series_->AddRequests(labels, model));
    }
    return Method{labels, series_->MetricSeries::AddMethod(labels)};
  })};
}

ModelId PrometheusMetrics::AddModel(const ModelLabels& labels) {
  MutexLock lock(&series_->mutex);
  return ModelId{series_->models.FindOrAdd({labels.name, labels.version}, [&] {
    ModelSeries model = series_->MetricSeries::AddModel(labels);
    const IdTable<Method>& methods = series_->methods.rows();
    for (std::size_t m = 0; m < methods.size(); ++m) {
      model.methods.Add(series_->AddRequests(methods[m].labels, model));
    }
    const auto& reasons = series_->reasons.rows();
    for (std::size_t r = 0; r < reasons.size(); ++r) {
      const auto& [what, label] = reasons[r];
      model.reasons.Add(series_->MetricSeries::AddReason(what, label, model));
    }
    return model;
  })};
}

ReasonId PrometheusMetrics::AddReason(ReasonOf what, const std::string& label) {
  MutexLock lock(&series_->mutex);
  return ReasonId{series_->reasons.FindOrAdd({what, label}, [&] {
    for (const auto& [name, id] : series_->models.ids()) {
      ModelSeries& model = series_->models.rows()[id];
      model.reasons.Add(series_->MetricSeries::AddReason(what, label, model));
    }
    return std::pair(what, label);
  })};
}

void PrometheusMetrics::OnReceived(MethodId method, std::size_t bytes) {
  const MethodSeries& series = series_->Of(method);
  series.in_flight.Increment();
  series.received_bytes.Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::OnAccepted(MethodId method, ModelId model, int images) {
  series_->Of(model).accepted.Increment(images);
  series_->Of(method, model).images.Observe(images);
}

void PrometheusMetrics::OnRejected(MethodId /*method*/, ModelId model, ReasonId reason) {
  series_->Of(reason, model).Increment();
}

void PrometheusMetrics::OnEnd(const RequestEnd& end) {
  const ModelSeries& model = series_->Of(end.model);
  if (end.sent_images > 0) model.answered.Increment(end.sent_images);
  if (end.discarded_images > 0) model.abandoned.Increment(end.discarded_images);
  for (const Confidence& one : end.confidences) {
    model.predictions[static_cast<std::size_t>(one.class_index)].Increment();
    model.confidence.Observe(one.probability);
  }
  const RequestSeries& requests = model.methods[Index(end.method)];
  requests.requests[CodeIndex(end.code)].Increment();
  requests.duration.Observe(Seconds(end.duration));
  const MethodSeries& method = series_->Of(end.method);
  method.sent_bytes.Increment(static_cast<double>(end.sent_bytes));
  method.in_flight.Decrement();
}

void PrometheusMetrics::OnBusy(int worker, absl::Duration busy) {
  series_->busy[static_cast<std::size_t>(worker)].Increment(Seconds(busy));
}

void PrometheusMetrics::OnBatch(const BatchEnd& batch) {
  const ModelSeries& model = series_->Of(batch.model);
  model.batch_size.Observe(batch.images);
  model.compute_duration.Observe(Seconds(batch.compute));
  model.reasons[Index(batch.release)].Increment();
  if (batch.failed_images > 0) model.failed.Increment(batch.failed_images);
  for (const absl::Duration wait : batch.queue_waits) model.queue_duration.Observe(Seconds(wait));
  for (const GreyLevels& levels : batch.grey_levels) {
    model.input_mean.Observe(levels.mean);
    model.input_contrast.Observe(levels.contrast);
  }
}

void PrometheusMetrics::OnDropped(ModelId model, int images, ReasonId reason,
                                  std::optional<absl::Duration> waited) {
  series_->Of(reason, model).Increment(images);
  if (waited.has_value()) series_->Of(model).queue_duration.Observe(Seconds(*waited));
}

void PrometheusMetrics::OnDiscarded(ModelId model, int images) {
  series_->Of(model).abandoned.Increment(images);
}

void PrometheusMetrics::OnCandidate(ModelId model, const std::string& mode, double share) {
  MutexLock lock(&series_->mutex);
  ModelSeries& series = series_->models.rows()[Index(model)];
  series_->SetCandidate(mode, share, &series);
  if (share <= 0) return;
  {
    MutexLock comparisons_lock(&series_->comparisons_mutex);
    if (series_->comparisons.contains(model)) return;
  }
  ComparisonSeries comparisons = series_->AddComparisons(series);
  MutexLock comparisons_lock(&series_->comparisons_mutex);
  series_->comparisons[model] = std::move(comparisons);
}

void PrometheusMetrics::OnCompared(const ComparisonEnd& comparison) {
  MutexLock lock(&series_->comparisons_mutex);
  const auto found = series_->comparisons.find(comparison.candidate);
  if (found == series_->comparisons.end()) return;
  const ComparisonSeries& series = found->second;
  for (const Difference& image : comparison.images) {
    const auto& of_class = series.images[static_cast<std::size_t>(image.class_index)];
    (image.same_class ? of_class.same : of_class.different).Increment();
    series.distance.Observe(image.distance);
  }
}

void PrometheusMetrics::OnNotCompared(ModelId candidate, ReasonId reason) {
  series_->Of(reason, candidate).Increment();
}

void PrometheusMetrics::OnLimit(ReasonId reason) { series_->Of(reason, kNoModel).Increment(); }

void PrometheusMetrics::OnModelLoaded(ModelId model, absl::Duration load) {
  const ModelSeries& series = series_->Of(model);
  series.load_duration->Set(Seconds(load));
  series.loaded_timestamp->Set(Seconds(absl::Now() - absl::UnixEpoch()));
}

void PrometheusMetrics::OnModelUnloaded(ModelId model) {
  MutexLock lock(&series_->mutex);
  {
    MutexLock comparisons_lock(&series_->comparisons_mutex);
    series_->comparisons.erase(model);
  }
  series_->RemoveModel(series_->Of(model), absl::Now());
  series_->models.Remove(Index(model));
}

void PrometheusMetrics::OnVersions(int serving, int failed) {
  series_->serving_versions->Set(serving);
  series_->failed_versions->Set(failed);
}

void PrometheusMetrics::SetReady(bool ready) { series_->ready->Set(ready ? 1 : 0); }

void PrometheusMetrics::SetGauges(Gauges gauges) {
  MutexLock lock(&series_->mutex);
  series_->gauges = std::move(gauges);
}

std::string PrometheusMetrics::Text() const {
  std::vector<prometheus::MetricFamily> families;
  std::vector<prometheus::MetricFamily> gauges;
  {
    MutexLock lock(&series_->mutex);
    series_->UpdateGauges();
    families = series_->sharded.Collect();
    gauges = series_->registry.Collect();
  }
  std::move(gauges.begin(), gauges.end(), std::back_inserter(families));
  std::vector<prometheus::MetricFamily> process = CollectProcessMetrics();
  std::move(process.begin(), process.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

Overview PrometheusMetrics::overview() const {
  const auto total = [this](const char* name, const prometheus::Labels& labels = {}) {
    return static_cast<std::int64_t>(series_->sharded.Total(name, labels));
  };
  Overview overview{};
  // In this order, so that no fewer requests than successes are seen.
  const std::int64_t ok = total(kRequests, {{"code", "OK"}});
  overview.requests = total(kRequests);
  overview.failed_requests = overview.requests - ok;
  // Not below 0, for the reason that AddGauge gives.
  overview.requests_in_flight = std::max<std::int64_t>(total(kInFlight), 0);
  overview.images = total(kImagesComputed, {{"outcome", "answered"}});
  overview.batches = total(kBatches);
  overview.busy = absl::Seconds(series_->sharded.Total(kBusy));
  MutexLock lock(&series_->mutex);
  overview.queued_images = series_->UpdateGauges();
  const auto value = [](const auto* gauge) { return static_cast<std::int64_t>(gauge->Value()); };
  overview.queue_capacity =
      series_->queue_capacity * std::max<std::int64_t>(value(series_->serving_versions), 1);
  overview.connections = value(series_->connections);
  return overview;
}

ModelOverview PrometheusMetrics::overview(ModelId model) const {
  const prometheus::Labels& labels = series_->Of(model).labels;
  const auto total = [&](const char* name, prometheus::Labels more = {}) {
    more.insert(labels.begin(), labels.end());
    return series_->sharded.Total(name, more);
  };
  const auto count = [&](const char* name, const prometheus::Labels& more = {}) {
    return static_cast<std::int64_t>(total(name, more));
  };
  ModelOverview overview{};
  overview.images = count(kImagesComputed, {{"outcome", "answered"}});
  overview.batches = count(kBatches);
  // In this order, so that no fewer requests than successes are seen.
  overview.ok_requests = count(kRequests, {{"code", "OK"}});
  overview.failed_requests = count(kRequests) - overview.ok_requests;
  overview.request_time = absl::Seconds(total(kRequestDuration));
  overview.queue_time = absl::Seconds(total(kQueueDuration));
  overview.compute_time = absl::Seconds(total(kComputeDuration));
  return overview;
}

}  // namespace hellocnn::server
