#include "server/telemetry/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/telemetry/process_metrics.h"
#include "server/telemetry/statistics.h"

namespace hellocnn::server {
namespace {

using Bounds = prometheus::Histogram::BucketBoundaries;

// 10 us to 10 s, three a decade: a factor of about two between neighbours, for quantiles to that
// accuracy.
const Bounds kSeconds = {1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2,
                         2e-2, 5e-2, 0.1,  0.2,  0.5,  1,    2,    5,    10};
const Bounds kImages = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
// Finest where digits are: a mean of about 0.1, a contrast of about 0.27.
const Bounds kGreyLevels = {0.025, 0.05,  0.075, 0.1,   0.125, 0.15,  0.175, 0.2, 0.225,
                            0.25,  0.275, 0.3,   0.325, 0.35,  0.375, 0.4,   0.5, 1};

constexpr char kService[] = "hellocnn.v1.ClassifierService";
constexpr std::array<const char*, kMethods> kMethodNames = {"Classify", "ClassifyStream",
                                                            "GetModel"};
constexpr std::array<const char*, kRefusals> kRefusalNames = {"queue_full", "draining", "loading",
                                                              "invalid", "deadline"};
constexpr std::array kReleaseNames = {"full", "idle", "delay", "drain"};

// gRPC's names, by number: absl spells them the same way, but not for the numbers that it does not
// know.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

template <typename Enum>
constexpr std::size_t Index(Enum value) {
  return static_cast<std::size_t>(value);
}

std::size_t CodeIndex(absl::StatusCode code) {
  return Index(code) < kCodes.size() ? Index(code) : Index(absl::StatusCode::kUnknown);
}

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

// Tells the histogram all values at once.
void ObserveAll(prometheus::Histogram& histogram, const Bounds& bounds,
                std::span<const double> values) {
  if (values.size() == 1) {  // cheaper than to look at all buckets
    histogram.Observe(values[0]);
    return;
  }
  thread_local std::vector<double> increments;
  increments.assign(bounds.size() + 1, 0);
  double sum = 0;
  for (const double value : values) {
    const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
    increments[static_cast<std::size_t>(bound - bounds.begin())] += 1;
    sum += value;
  }
  histogram.ObserveMultiple(increments, sum);
}

}  // namespace

// The registry, and the handles into it that make counting cheap.
struct PrometheusMetrics::Series {
  explicit Series(const ServerInfo& info) : normalization(info.card.normalization) {
    AddRequests();
    AddImages();
    AddBatches(info.workers, info.queue_capacity);
    AddModel(info);
    ready = &Gauge("hellocnn_ready", "1 while the server is SERVING, else 0.").Add({});
    Gauge("hellocnn_build_info", "What the server was built from and with; always 1.")
        .Add({{"version", info.version},
              {"compiler", info.compiler},
              {"libtorch", info.libtorch},
              {"grpc", info.grpc}})
        .Set(1);
  }

  void AddRequests() {
    auto& ends =
        Counter("hellocnn_requests_total", "Requests answered, by method and gRPC status.");
    auto& durations = Histogram("hellocnn_request_duration_seconds",
                                "Time from receiving a request to its answer, failures included.");
    auto& flights = Gauge("hellocnn_requests_in_flight", "Requests received and not yet answered.");
    auto& sizes = Histogram("hellocnn_request_images", "Images in a request that was accepted.");
    auto& received = Counter("hellocnn_received_bytes_total", "Bytes of the messages received.");
    auto& sent = Counter("hellocnn_sent_bytes_total", "Bytes of the messages sent.");
    for (std::size_t m = 0; m < kMethods; ++m) {
      const char* const method = kMethodNames[m];
      for (std::size_t c = 0; c < kCodes.size(); ++c) {
        requests[m][c] =
            &ends.Add({{"service", kService}, {"method", method}, {"code", kCodes[c]}});
      }
      request_duration[m] = &durations.Add({{"service", kService}, {"method", method}}, kSeconds);
      in_flight[m] = &flights.Add({{"service", kService}, {"method", method}});
      // GetModel has no images.
      if (m != Index(Method::kGetModel))
        request_images[m] = &sizes.Add({{"method", method}}, kImages);
      received_bytes[m] = &received.Add({{"method", method}});
      sent_bytes[m] = &sent.Add({{"method", method}});
    }
    auto& refusals = Counter("hellocnn_requests_refused_total",
                             "Requests answered without having been queued, by reason.");
    for (std::size_t r = 0; r < kRefusals; ++r) {
      refused[r] = &refusals.Add({{"reason", kRefusalNames[r]}});
    }
    connections = &Gauge("hellocnn_connections", "Open gRPC connections.").Add({});
  }

  void AddImages() {
    accepted = &Counter("hellocnn_images_accepted_total",
                        "Images of requests that the queue has admitted.")
                    .Add({});
    auto& drops = Counter("hellocnn_images_dropped_total",
                          "Images that left the queue without being computed, by reason.");
    dropped_deadline = &drops.Add({{"reason", "deadline"}});
    dropped_cancelled = &drops.Add({{"reason", "cancelled"}});
    dropped_failed = &drops.Add({{"reason", "failed"}});
    auto& computed = Counter(
        "hellocnn_images_computed_total",
        "Images that the engine has run on: sent in an OK answer, computed for nobody, or failed.");
    answered = &computed.Add({{"outcome", "answered"}});
    abandoned = &computed.Add({{"outcome", "abandoned"}});
    failed = &computed.Add({{"outcome", "failed"}});
  }

  void AddBatches(int workers, int queue_capacity) {
    queue_images = &Gauge("hellocnn_queue_images", "Images that wait in the queue now.").Add({});
    Gauge("hellocnn_queue_capacity_images", "Images that the queue can hold.")
        .Add({})
        .Set(queue_capacity);
    queue_duration = &Histogram("hellocnn_queue_duration_seconds",
                                "Time that a request waited until it left the queue.")
                          .Add({}, kSeconds);
    compute_duration =
        &Histogram("hellocnn_compute_duration_seconds", "Time that the engine took for a batch.")
             .Add({}, kSeconds);
    batch_size = &Histogram("hellocnn_batch_size", "Images in a batch.").Add({}, kImages);
    auto& releases =
        Counter("hellocnn_batch_released_total", "Batches, by why they left the queue.");
    for (std::size_t r = 0; r < kReleaseNames.size(); ++r) {
      released[r] = &releases.Add({{"reason", kReleaseNames[r]}});
    }
    Gauge("hellocnn_workers", "Threads that run the engine.").Add({}).Set(workers);
    auto& busy_seconds =
        Counter("hellocnn_worker_busy_seconds_total", "Time that a worker spent in the engine.");
    for (int w = 0; w < workers; ++w) {
      busy.push_back(&busy_seconds.Add({{"worker", std::to_string(w)}}));
    }
  }

  void AddModel(const ServerInfo& info) {
    const ModelCard& card = info.card;
    Gauge("hellocnn_model_info", "The model that is served; always 1.")
        .Add({{"model", card.name}, {"version", card.version}, {"engine", info.engine}})
        .Set(1);
    Gauge("hellocnn_engine_info", "The engine in use; always 1.")
        .Add({{"engine", info.engine}})
        .Set(1);
    Gauge("hellocnn_model_test_accuracy_ratio", "Share of test digits that the model gets right.")
        .Add({})
        .Set(card.test_accuracy);
    model_load_duration =
        &Gauge("hellocnn_model_load_duration_seconds",
               "Time from opening the model's files to the end of the warm-up; 0 until then.")
             .Add({});
    model_loaded_timestamp =
        &Gauge("hellocnn_model_loaded_timestamp_seconds",
               "When the model was ready, in seconds since 1970; 0 until then.")
             .Add({});
    auto& classes =
        Counter("hellocnn_predictions_total", "Answered images, by the most likely class.");
    for (std::size_t c = 0; c < predictions.size(); ++c) {
      predictions[c] = &classes.Add({{"class", card.class_labels[c]}});
    }
    confidence = &Histogram("hellocnn_prediction_confidence_ratio",
                            "Probability of the most likely class, of answered images.")
                      .Add({}, Bounds(kConfidenceBounds.begin(), kConfidenceBounds.end()));
    input_mean = &Histogram("hellocnn_input_mean_ratio",
                            "Mean of the grey levels of a computed image, black 0 and white 1.")
                      .Add({}, kGreyLevels);
    input_contrast =
        &Histogram("hellocnn_input_contrast_ratio",
                   "Standard deviation of the grey levels of a computed image, black 0, white 1.")
             .Add({}, kGreyLevels);
  }

  prometheus::Family<prometheus::Counter>& Counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Gauge>& Gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Histogram>& Histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  void UpdateGauges() {
    const std::scoped_lock lock(gauges_mutex);
    queue_images->Set(gauges.queued_images ? gauges.queued_images() : 0);
    connections->Set(gauges.connections ? gauges.connections() : 0);
  }

  const Normalization normalization;
  std::atomic<Phase> phase = Phase::kLoading;

  prometheus::Registry registry;
  // These point into the registry and never change.
  std::array<std::array<prometheus::Counter*, kCodes.size()>, kMethods> requests{};
  std::array<prometheus::Histogram*, kMethods> request_duration{};
  std::array<prometheus::Gauge*, kMethods> in_flight{};
  std::array<prometheus::Histogram*, kMethods> request_images{};
  std::array<prometheus::Counter*, kMethods> received_bytes{};
  std::array<prometheus::Counter*, kMethods> sent_bytes{};
  std::array<prometheus::Counter*, kRefusals> refused{};
  prometheus::Gauge* connections = nullptr;
  prometheus::Counter* accepted = nullptr;
  prometheus::Counter* dropped_deadline = nullptr;
  prometheus::Counter* dropped_cancelled = nullptr;
  prometheus::Counter* dropped_failed = nullptr;
  prometheus::Counter* answered = nullptr;
  prometheus::Counter* abandoned = nullptr;
  prometheus::Counter* failed = nullptr;
  prometheus::Gauge* queue_images = nullptr;
  prometheus::Histogram* queue_duration = nullptr;
  prometheus::Histogram* compute_duration = nullptr;
  prometheus::Histogram* batch_size = nullptr;
  std::array<prometheus::Counter*, kReleaseNames.size()> released{};
  std::vector<prometheus::Counter*> busy;
  prometheus::Gauge* model_load_duration = nullptr;
  prometheus::Gauge* model_loaded_timestamp = nullptr;
  std::array<prometheus::Counter*, kClasses> predictions{};
  prometheus::Histogram* confidence = nullptr;
  prometheus::Histogram* input_mean = nullptr;
  prometheus::Histogram* input_contrast = nullptr;
  prometheus::Gauge* ready = nullptr;

  // Held while the functions are called, by scrapes alone: that is what lets SetGauges promise that
  // no call is left.
  std::mutex gauges_mutex;
  Gauges gauges;
};

PrometheusMetrics::PrometheusMetrics(const ServerInfo& info)
    : series_(std::make_unique<Series>(info)) {}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::OnReceived(Method method, std::size_t bytes) {
  series_->in_flight[Index(method)]->Increment();
  series_->received_bytes[Index(method)]->Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::OnAccepted(Method method, int images) {
  series_->accepted->Increment(images);
  series_->request_images[Index(method)]->Observe(images);
}

void PrometheusMetrics::OnRefused(Refusal reason) { series_->refused[Index(reason)]->Increment(); }

void PrometheusMetrics::OnAnswered(const AnswerStatistics& answer) {
  series_->answered->Increment(answer.images);
  for (std::size_t c = 0; c < answer.classes.size(); ++c) {
    if (answer.classes[c] > 0) series_->predictions[c]->Increment(answer.classes[c]);
  }
  if (answer.images == 1) {
    series_->confidence->Observe(answer.confidence_sum);
    return;
  }
  thread_local std::vector<double> increments;
  increments.assign(answer.confidence.begin(), answer.confidence.end());
  increments.push_back(0);  // above the last bound there is none
  series_->confidence->ObserveMultiple(increments, answer.confidence_sum);
}

void PrometheusMetrics::OnAbandoned(int images) { series_->abandoned->Increment(images); }

void PrometheusMetrics::OnEnd(Method method, absl::StatusCode code, absl::Duration duration,
                              std::size_t bytes) {
  series_->requests[Index(method)][CodeIndex(code)]->Increment();
  series_->request_duration[Index(method)]->Observe(Seconds(duration));
  series_->sent_bytes[Index(method)]->Increment(static_cast<double>(bytes));
  series_->in_flight[Index(method)]->Decrement();
}

void PrometheusMetrics::OnBatch(int worker, const BatchQueue::Taken& batch, absl::Duration compute,
                                const absl::Status& status) {
  series_->batch_size->Observe(batch.images);
  series_->compute_duration->Observe(Seconds(compute));
  series_->released[Index(batch.reason)]->Increment();
  series_->busy.at(static_cast<std::size_t>(worker))->Increment(Seconds(compute));
  if (!status.ok()) series_->failed->Increment(batch.images);

  thread_local std::vector<double> waits;
  thread_local std::vector<double> means;
  thread_local std::vector<double> contrasts;
  waits.clear();
  means.clear();
  contrasts.clear();
  for (const Slice& slice : batch.slices) {
    if (slice.first == 0) waits.push_back(Seconds(slice.job->timing().queue));
    const auto& images = slice.job->job().images;
    for (int i = slice.first; i < slice.first + slice.count; ++i) {
      const GreyLevels levels =
          MeasureGreyLevels(images[static_cast<std::size_t>(i)], series_->normalization);
      means.push_back(levels.mean);
      contrasts.push_back(levels.contrast);
    }
  }
  ObserveAll(*series_->queue_duration, kSeconds, waits);
  ObserveAll(*series_->input_mean, kGreyLevels, means);
  ObserveAll(*series_->input_contrast, kGreyLevels, contrasts);
}

void PrometheusMetrics::OnDropped(const BatchQueue::Dropped& dropped) {
  prometheus::Counter* counter = series_->dropped_failed;
  switch (dropped.job->status().code()) {
    case absl::StatusCode::kDeadlineExceeded:
      counter = series_->dropped_deadline;
      break;
    case absl::StatusCode::kCancelled:
      counter = series_->dropped_cancelled;
      break;
    default:
      break;
  }
  counter->Increment(dropped.images);
  // If a part of it was taken before, it left the queue with that part.
  if (dropped.images == dropped.job->images()) {
    series_->queue_duration->Observe(Seconds(dropped.job->timing().queue));
  }
}

void PrometheusMetrics::OnReady(absl::Duration load) {
  series_->model_load_duration->Set(Seconds(load));
  series_->model_loaded_timestamp->Set(Seconds(absl::Now() - absl::UnixEpoch()));
  series_->ready->Set(1);
  series_->phase = Phase::kServing;
}

void PrometheusMetrics::OnDrain() {
  series_->ready->Set(0);
  series_->phase = Phase::kDraining;
}

void PrometheusMetrics::SetGauges(Gauges gauges) {
  const std::scoped_lock lock(series_->gauges_mutex);
  series_->gauges = std::move(gauges);
}

std::string PrometheusMetrics::Text() const {
  series_->UpdateGauges();
  std::vector<prometheus::MetricFamily> families = series_->registry.Collect();
  std::vector<prometheus::MetricFamily> process = CollectProcessMetrics();
  std::move(process.begin(), process.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

Overview PrometheusMetrics::overview() const {
  series_->UpdateGauges();
  const auto value = [](const auto* metric) { return static_cast<std::int64_t>(metric->Value()); };
  Overview overview{};
  overview.phase = phase();
  for (std::size_t m = 0; m < kMethods; ++m) {
    for (std::size_t c = 0; c < kCodes.size(); ++c) {
      const std::int64_t requests = value(series_->requests[m][c]);
      overview.requests += requests;
      if (c != Index(absl::StatusCode::kOk)) overview.failed_requests += requests;
    }
    overview.requests_in_flight += value(series_->in_flight[m]);
  }
  overview.images = value(series_->answered);
  for (const prometheus::Counter* counter : series_->released) overview.batches += value(counter);
  overview.queued_images = value(series_->queue_images);
  overview.connections = value(series_->connections);
  for (const prometheus::Counter* counter : series_->busy) {
    overview.busy += absl::Seconds(counter->Value());
  }
  return overview;
}

Phase PrometheusMetrics::phase() const { return series_->phase; }

}  // namespace hellocnn::server
