#include "server/telemetry/prometheus_metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hellocnn::server {
namespace {

// 10 us to 10 s, three a decade: a factor of about two between neighbours, for quantiles to that
// accuracy.
const prometheus::Histogram::BucketBoundaries kSeconds = {1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3,
                                                          2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1,  0.2,
                                                          0.5,  1,    2,    5,    10};
const prometheus::Histogram::BucketBoundaries kImages = {1,   2,   4,   8,    16,   32,  64,
                                                         128, 256, 512, 1024, 2048, 4096};

// "other" is last.
constexpr std::array kMethods = {"Classify", "ClassifyStream", "GetModel", "other"};

// gRPC's names, by number: absl spells them the same way, but not for the numbers that it does not
// know.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::size_t MethodIndex(std::string_view method) {
  const auto* const known = std::find(kMethods.begin(), kMethods.end() - 1, method);
  return static_cast<std::size_t>(known - kMethods.begin());
}

std::size_t CodeIndex(absl::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodes.size() ? index : static_cast<std::size_t>(absl::StatusCode::kUnknown);
}

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

}  // namespace

// Owns the registry, and the handles into it that make counting cheap.
struct PrometheusMetrics::Series : prometheus::Collectable {
  explicit Series(int queue_capacity) {
    auto& requests = prometheus::BuildCounter()
                         .Name("hellocnn_requests_total")
                         .Help("Requests answered, by method and gRPC status.")
                         .Register(registry);
    auto& durations = prometheus::BuildHistogram()
                          .Name("hellocnn_request_duration_seconds")
                          .Help("Time from receiving a request to its answer, failures included.")
                          .Register(registry);
    for (std::size_t m = 0; m < kMethods.size(); ++m) {
      for (std::size_t c = 0; c < kCodes.size(); ++c) {
        request_count[m][c] = &requests.Add({{"method", kMethods[m]}, {"code", kCodes[c]}});
      }
      request_duration[m] = &durations.Add({{"method", kMethods[m]}}, kSeconds);
    }
    queue_duration = &Histogram("hellocnn_queue_duration_seconds",
                                "Time that a classified request waited for a worker.", kSeconds);
    compute_duration = &Histogram("hellocnn_compute_duration_seconds",
                                  "Time that the engine took for a batch.", kSeconds);
    batch_size = &Histogram("hellocnn_batch_size", "Images in a batch.", kImages);
    images = &prometheus::BuildCounter()
                  .Name("hellocnn_images_total")
                  .Help("Images of requests that were classified.")
                  .Register(registry)
                  .Add({});
    auto& dropped = prometheus::BuildCounter()
                        .Name("hellocnn_images_dropped_total")
                        .Help("Images that were accepted but dropped before compute, by reason.")
                        .Register(registry);
    dropped_deadline = &dropped.Add({{"reason", "deadline"}});
    dropped_cancelled = &dropped.Add({{"reason", "cancelled"}});
    queue_images = &Gauge("hellocnn_queue_images", "Images that wait in the queue now.");
    Gauge("hellocnn_queue_capacity_images", "Images that the queue can hold.").Set(queue_capacity);
  }

  prometheus::Histogram& Histogram(const char* name, const char* help,
                                   const prometheus::Histogram::BucketBoundaries& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
  }

  prometheus::Gauge& Gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    {
      const std::scoped_lock lock(source_mutex);
      queue_images->Set(queue_source ? queue_source() : 0);
    }
    return registry.Collect();
  }

  prometheus::Registry registry;
  // The rest points into the registry and never changes.
  std::array<std::array<prometheus::Counter*, kCodes.size()>, kMethods.size()> request_count;
  std::array<prometheus::Histogram*, kMethods.size()> request_duration;
  prometheus::Histogram* queue_duration;
  prometheus::Histogram* compute_duration;
  prometheus::Histogram* batch_size;
  prometheus::Counter* images;
  prometheus::Counter* dropped_deadline;
  prometheus::Counter* dropped_cancelled;
  prometheus::Gauge* queue_images;

  // Held while the source is called, by scrapes alone: that is what lets SetQueueSource promise
  // that no call is left.
  mutable std::mutex source_mutex;
  std::function<int()> queue_source;
};

PrometheusMetrics::PrometheusMetrics(int queue_capacity)
    : series_(std::make_shared<Series>(queue_capacity)) {}

PrometheusMetrics::~PrometheusMetrics() { SetQueueSource(nullptr); }

void PrometheusMetrics::OnRequest(std::string_view method, absl::StatusCode code,
                                  absl::Duration duration) {
  const std::size_t index = MethodIndex(method);
  series_->request_count[index][CodeIndex(code)]->Increment();
  series_->request_duration[index]->Observe(Seconds(duration));
}

void PrometheusMetrics::OnClassified(int images, const JobTiming& timing) {
  series_->images->Increment(images);
  series_->queue_duration->Observe(Seconds(timing.queue));
}

void PrometheusMetrics::OnBatch(int images, absl::Duration compute) {
  series_->batch_size->Observe(images);
  series_->compute_duration->Observe(Seconds(compute));
}

void PrometheusMetrics::OnDropped(int images, const absl::Status& status) {
  const bool cancelled = status.code() == absl::StatusCode::kCancelled;
  (cancelled ? series_->dropped_cancelled : series_->dropped_deadline)->Increment(images);
}

void PrometheusMetrics::SetQueueSource(std::function<int()> queued_images) {
  const std::scoped_lock lock(series_->source_mutex);
  series_->queue_source = std::move(queued_images);
}

std::shared_ptr<prometheus::Collectable> PrometheusMetrics::collectable() const { return series_; }

}  // namespace hellocnn::server
