#include "server/observability/prometheus/prometheus_metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/observability/prometheus/metric_series.h"
#include "server/observability/prometheus/process_metrics.h"
#include "server/observability/statistics.h"

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

}  // namespace

struct PrometheusMetrics::Series : MetricSeries {
  explicit Series(const ServerInfo& info)
      : MetricSeries(info), normalization(info.card.normalization) {}

  void UpdateGauges() {
    const std::scoped_lock lock(gauges_mutex);
    queue_images->Set(gauges.queued_images ? gauges.queued_images() : 0);
    connections->Set(gauges.connections ? gauges.connections() : 0);
  }

  const Normalization normalization;
  // Held while the functions are called, by scrapes alone: that is what lets SetGauges promise that
  // no call is left.
  std::mutex gauges_mutex;
  Gauges gauges;
};

PrometheusMetrics::PrometheusMetrics(const ServerInfo& info)
    : series_(std::make_unique<Series>(info)) {}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::OnReceived(Method method, std::size_t bytes) {
  series_->in_flight[Index(method)].Increment();
  series_->received_bytes[Index(method)].Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::OnAccepted(Method method, int images) {
  series_->accepted.Increment(images);
  series_->request_images[Index(method)].Observe(images);
}

void PrometheusMetrics::OnRefused(Refusal reason) { series_->refused[Index(reason)].Increment(); }

void PrometheusMetrics::OnAnswered(const AnswerStatistics& answer) {
  series_->answered.Increment(answer.images);
  for (std::size_t c = 0; c < answer.classes.size(); ++c) {
    if (answer.classes[c] > 0) series_->predictions[c].Increment(answer.classes[c]);
  }
  series_->confidence.ObserveMany(answer.confidence, answer.confidence_sum);
}

void PrometheusMetrics::OnAbandoned(int images) { series_->abandoned.Increment(images); }

void PrometheusMetrics::OnEnd(Method method, absl::StatusCode code, absl::Duration duration,
                              std::size_t bytes) {
  series_->requests[Index(method)][CodeIndex(code)].Increment();
  series_->request_duration[Index(method)].Observe(Seconds(duration));
  series_->sent_bytes[Index(method)].Increment(static_cast<double>(bytes));
  series_->in_flight[Index(method)].Decrement();
}

void PrometheusMetrics::OnBusy(int worker, absl::Duration busy) {
  series_->busy[static_cast<std::size_t>(worker)].Increment(Seconds(busy));
}

void PrometheusMetrics::OnBatch(const BatchQueue::Taken& batch, absl::Duration compute) {
  series_->batch_size.Observe(batch.images);
  series_->compute_duration.Observe(Seconds(compute));
  series_->released[Index(batch.reason)].Increment();

  for (const Slice& slice : batch.slices) {
    if (!slice.computed()) series_->failed.Increment(slice.count);
    if (slice.first == 0) {
      series_->queue_duration.Observe(Seconds(slice.job->timing().queue));
    }
    const std::span<const ImageView> images = slice.job->images();
    for (int i = slice.first; i < slice.first + slice.count; ++i) {
      const GreyLevels levels =
          MeasureGreyLevels(images[static_cast<std::size_t>(i)], series_->normalization);
      series_->input_mean.Observe(levels.mean);
      series_->input_contrast.Observe(levels.contrast);
    }
  }
}

void PrometheusMetrics::OnDropped(const BatchQueue::Dropped& dropped) {
  const MetricSeries::Counter* counter = &series_->dropped_failed;
  switch (dropped.reason) {
    case absl::StatusCode::kDeadlineExceeded:
      counter = &series_->dropped_deadline;
      break;
    case absl::StatusCode::kCancelled:
      counter = &series_->dropped_cancelled;
      break;
    default:
      break;
  }
  counter->Increment(dropped.images);
  // If a part of it was taken before, it was observed with that part.
  if (dropped.waited.has_value()) series_->queue_duration.Observe(Seconds(*dropped.waited));
}

void PrometheusMetrics::OnLoaded(absl::Duration load) {
  series_->model_load_duration->Set(Seconds(load));
  series_->model_loaded_timestamp->Set(Seconds(absl::Now() - absl::UnixEpoch()));
}

void PrometheusMetrics::SetReady(bool ready) { series_->ready->Set(ready ? 1 : 0); }

void PrometheusMetrics::SetGauges(Gauges gauges) {
  const std::scoped_lock lock(series_->gauges_mutex);
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
  for (std::size_t m = 0; m < kMethods; ++m) {
    for (std::size_t c = 0; c < kCodes.size(); ++c) {
      const std::int64_t requests = value(series_->requests[m][c]);
      overview.requests += requests;
      if (c != Index(absl::StatusCode::kOk)) overview.failed_requests += requests;
    }
    // 0 at least, as for the gauge: see AddGauge.
    overview.requests_in_flight += std::max<std::int64_t>(value(series_->in_flight[m]), 0);
  }
  overview.images = value(series_->answered);
  for (const MetricSeries::Counter& counter : series_->released) overview.batches += value(counter);
  overview.queued_images = value(*series_->queue_images);
  overview.connections = value(*series_->connections);
  for (const MetricSeries::Counter& counter : series_->busy) {
    overview.busy += absl::Seconds(counter.Value());
  }
  return overview;
}

}  // namespace hellocnn::server
