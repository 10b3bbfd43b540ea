#include "server/observability/prometheus/metric_series.h"

#include <prometheus/family.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

// From 10 us to 10 s, three bounds for each power of ten. Neighbours differ by a factor of about
// two, which is how accurate quantiles are.
constexpr std::array kSeconds = {1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2,
                                 2e-2, 5e-2, 0.1,  0.2,  0.5,  1.0,  2.0,  5.0,  10.0};
constexpr std::array kImages = {1.0,   2.0,   4.0,   8.0,    16.0,   32.0,  64.0,
                                128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0};
// The bounds are closest where digits are: they have a mean of about 0.1 and a contrast of about
// 0.27.
constexpr std::array kGreyLevels = {0.025, 0.05,  0.075, 0.1,   0.125, 0.15,  0.175, 0.2, 0.225,
                                    0.25,  0.275, 0.3,   0.325, 0.35,  0.375, 0.4,   0.5, 1.0};

// For the probability of the most likely class, which is at most 1.
constexpr std::array kProbabilities = {0.1, 0.2, 0.3,  0.4,  0.5,   0.6, 0.7,
                                       0.8, 0.9, 0.95, 0.99, 0.999, 1.0};

// For LogProbabilityDistance, which is at most 10.
constexpr std::array kDistances = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0};

// Returns true for the series of kNoModel. Every model has a version.
bool IsNone(const ModelSeries& model) { return model.labels.at("version").empty(); }

// Returns both, which have no label in common.
prometheus::Labels Join(prometheus::Labels one, const prometheus::Labels& other) {
  one.insert(other.begin(), other.end());
  return one;
}

}  // namespace

MetricSeries::MetricSeries(const ServerInfo& info) : queue_capacity(info.queue_capacity) {
  AddWorkers(info.workers);
  auto& versions =
      Gauge("hellocnn_model_versions",
            "Number of versions of models, by state: serving, or failed if something is wrong.");
  serving_versions = &versions.Add({{"state", "serving"}});
  failed_versions = &versions.Add({{"state", "failed"}});
  connections = &Gauge("hellocnn_connections", "Number of open gRPC connections.").Add({});
  ready = &Gauge("hellocnn_ready", "1 while the server is SERVING, otherwise 0.").Add({});
  Gauge("hellocnn_build_info",
        "Always 1, with labels that say what the server was built from and with.")
      .Add({{"version", info.version},
            {"compiler", info.compiler},
            {"libtorch", info.libtorch},
            {"grpc", info.grpc}})
      .Set(1);
}

MethodSeries MetricSeries::AddMethod(const MethodLabels& labels) {
  const prometheus::Labels method = {{"method", labels.method}};
  MethodSeries series;
  series.in_flight = sharded.AddGauge(
      kInFlight, "Number of requests that have arrived and whose response is not ready yet.",
      {{"service", labels.service}, {"method", labels.method}});
  series.received_bytes = sharded.AddCounter("hellocnn_received_bytes_total",
                                             "Bytes of the messages that were received.", method);
  series.sent_bytes = sharded.AddCounter("hellocnn_sent_bytes_total",
                                         "Bytes of the messages that were sent.", method);
  return series;
}

RequestSeries MetricSeries::AddRequests(const MethodLabels& method, const ModelSeries& model) {
  const prometheus::Labels of_model = method.takes_images ? model.labels : NoModel().labels;
  const prometheus::Labels labels =
      Join({{"service", method.service}, {"method", method.method}}, of_model);
  RequestSeries series;
  for (std::size_t c = 0; c < kCodes.size(); ++c) {
    series.requests[c] = sharded.AddCounter(
        kRequests,
        "Requests that have ended, by method, by model and by the gRPC status of the response.",
        Join({{"code", kCodes[c]}}, labels));
  }
  series.duration = sharded.AddHistogram(
      kRequestDuration,
      "Time from the arrival of a request until its response was ready, failures included.",
      kSeconds, labels);
  if (method.takes_images && !IsNone(model)) {
    series.images =
        sharded.AddHistogram("hellocnn_request_images", "Number of images in an accepted request.",
                             kImages, Join({{"method", method.method}}, of_model));
  }
  return series;
}

ModelSeries MetricSeries::NoModel() {
  ModelSeries series;
  series.labels = {{"model", ""}, {"version", ""}};
  return series;
}

ModelSeries MetricSeries::AddModel(const ModelLabels& labels) {
  ModelSeries series;
  series.labels = {{"model", labels.name}, {"version", labels.version}};
  series.class_labels = labels.class_labels;
  AddImages(&series);
  AddBatches(&series);
  AddStatistics(labels.class_labels, &series);
  AddGauges(labels, &series);
  return series;
}

void MetricSeries::RemoveModel(const ModelSeries& model, absl::Time now) {
  for (const auto& [family, gauge] : model.gauges) family->Remove(gauge);
  if (model.candidate_share != nullptr) CandidateShare().Remove(model.candidate_share);
  // In whole seconds, and never the same twice: see docs/adr/0021-metrics-by-model.md.
  last_removed_ = std::max(now, last_removed_ + absl::Seconds(1));
  sharded.Retire(model.labels, {{"model", ""},
                                {"version", absl::FormatTime("unloaded-until-%Y-%m-%dT%H:%M:%SZ",
                                                             last_removed_, absl::UTCTimeZone())},
                                {"class", ""}});
}

ShardedMetrics::Counter MetricSeries::AddReason(ReasonOf what, const std::string& label,
                                                const ModelSeries& model) {
  const prometheus::Labels labels = Join({{"reason", label}}, model.labels);
  switch (what) {
    case ReasonOf::kRejection:
      return sharded.AddCounter("hellocnn_requests_refused_total",
                                "Requests that were rejected and therefore not queued, by reason.",
                                labels);
    case ReasonOf::kLimit:
      return sharded.AddCounter("hellocnn_transport_limits_total",
                                "Calls that were rejected and connections that were closed because "
                                "a client reached a limit of the transport, by limit.",
                                {{"reason", label}});
    case ReasonOf::kRelease:
    case ReasonOf::kDrop:
    case ReasonOf::kSkip:
      break;
  }
  if (IsNone(model)) return {};
  if (what == ReasonOf::kSkip) {
    return sharded.AddCounter("hellocnn_comparisons_skipped_total",
                              "Requests that were to be compared and were not, by reason.", labels);
  }
  if (what == ReasonOf::kRelease) {
    return sharded.AddCounter(
        kBatches, "Batches, by the reason why they were released from the queue.", labels);
  }
  return sharded.AddCounter("hellocnn_images_dropped_total",
                            "Images that left the queue without being computed, by reason.",
                            labels);
}

ComparisonSeries MetricSeries::AddComparisons(const ModelSeries& candidate) {
  ComparisonSeries series;
  for (const std::string& label : candidate.class_labels) {
    const auto images = [&](const char* says) {
      return sharded.AddCounter(
          "hellocnn_compared_images_total",
          "Images that the current version and the candidate have both computed, by class.",
          Join({{"class", label}, {"candidate_says", says}}, candidate.labels));
    };
    series.images.push_back({images("same"), images("other")});
  }
  series.distance = sharded.AddHistogram(
      "hellocnn_comparison_log_probability_distance",
      "How far the log-probabilities of both are apart, for a likely class of an image.",
      kDistances, candidate.labels);
  return series;
}

prometheus::Family<prometheus::Gauge>& MetricSeries::CandidateShare() {
  return Gauge("hellocnn_candidate_share_ratio",
               "Share of the requests of its model that a candidate computes, by its mode.");
}

void MetricSeries::SetCandidate(const std::string& mode, double share, ModelSeries* model) {
  prometheus::Gauge* const before = std::exchange(model->candidate_share, nullptr);
  if (before != nullptr) CandidateShare().Remove(before);
  if (share <= 0) return;
  model->candidate_share = &CandidateShare().Add(Join({{"mode", mode}}, model->labels));
  model->candidate_share->Set(share);
}

void MetricSeries::AddWorkers(int workers) {
  Gauge("hellocnn_workers", "Number of threads that handle calls and compute batches.")
      .Add({})
      .Set(workers);
  for (int w = 0; w < workers; ++w) {
    busy.push_back(sharded.AddCounter(
        kBusy, "Time that a worker has spent on calls and batches, without its time of waiting.",
        {{"worker", std::to_string(w)}}));
  }
}

void MetricSeries::AddImages(ModelSeries* model) {
  model->accepted = sharded.AddCounter("hellocnn_images_accepted_total",
                                       "Images that the queue has accepted.", model->labels);
  const auto computed = [&](const char* outcome) {
    return sharded.AddCounter(
        kImagesComputed, "Images that the engine has run on, by what has become of the result.",
        Join({{"outcome", outcome}}, model->labels));
  };
  model->answered = computed("answered");
  model->abandoned = computed("abandoned");
  model->failed = computed("failed");
}

void MetricSeries::AddBatches(ModelSeries* model) {
  model->queue_duration = sharded.AddHistogram(
      kQueueDuration, "Time for which a request waited in the queue.", kSeconds, model->labels);
  model->compute_duration = sharded.AddHistogram(
      kComputeDuration, "Time for which the engine computed a batch.", kSeconds, model->labels);
  model->batch_size = sharded.AddHistogram("hellocnn_batch_size", "Number of images in a batch.",
                                           kImages, model->labels);
}

void MetricSeries::AddStatistics(const std::vector<std::string>& class_labels, ModelSeries* model) {
  for (const std::string& label : class_labels) {
    model->predictions.push_back(sharded.AddCounter(
        "hellocnn_predictions_total", "Images in OK responses, by their most likely class.",
        Join({{"class", label}}, model->labels)));
  }
  model->confidence =
      sharded.AddHistogram("hellocnn_prediction_confidence_ratio",
                           "Probability of the most likely class of an image in an OK response.",
                           kProbabilities, model->labels);
  model->input_mean =
      sharded.AddHistogram("hellocnn_input_mean_ratio",
                           "Mean grey level of a computed image, where 0 is black and 1 is white.",
                           kGreyLevels, model->labels);
  model->input_contrast = sharded.AddHistogram(
      "hellocnn_input_contrast_ratio",
      "Standard deviation of the grey levels of a computed image, where 0 is black and 1 is white.",
      kGreyLevels, model->labels);
}

void MetricSeries::AddGauges(const ModelLabels& labels, ModelSeries* model) {
  AddGauge("hellocnn_model_info", "Always 1, with labels that say which models are served.",
           labels.engine, model)
      ->Set(1);
  AddGauge("hellocnn_engine_info", "Always 1, with a label that says which engine computes.",
           labels.engine, model)
      ->Set(1);
  AddGauge("hellocnn_model_test_accuracy_ratio",
           "Share of the test digits that the model classifies correctly, or NaN if it is not "
           "known.",
           "", model)
      ->Set(labels.test_accuracy.value_or(std::numeric_limits<double>::quiet_NaN()));
  AddGauge("hellocnn_model_card_mismatch",
           "1 if the model card was written for other weights than those served, else 0.", "",
           model)
      ->Set(labels.card_of_other_weights ? 1 : 0);
  AddGauge("hellocnn_queue_capacity_images", "Number of images that fit into the queue.", "", model)
      ->Set(queue_capacity);
  model->queue_images =
      AddGauge("hellocnn_queue_images", "Number of images that wait in the queue.", "", model);
  model->load_duration = AddGauge(
      "hellocnn_model_load_duration_seconds",
      "Time from opening the model's files until the end of the warm-up, or 0 before that.", "",
      model);
  model->loaded_timestamp = AddGauge(
      "hellocnn_model_loaded_timestamp_seconds",
      "Time at which the model became ready, in seconds since 1970, or 0 before that.", "", model);
}

prometheus::Gauge* MetricSeries::AddGauge(const char* name, const char* help,
                                          const std::string& engine, ModelSeries* model) {
  prometheus::Labels labels = model->labels;
  if (!engine.empty()) labels["engine"] = engine;
  prometheus::Family<prometheus::Gauge>& family = Gauge(name, help);
  prometheus::Gauge* const gauge = &family.Add(labels);
  model->gauges.emplace_back(&family, gauge);
  return gauge;
}

prometheus::Family<prometheus::Gauge>& MetricSeries::Gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace hellocnn::server
