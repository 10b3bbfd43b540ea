#include "server/observability/prometheus/metric_series.h"

#include <prometheus/family.h>

#include <limits>
#include <string>

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

}  // namespace

MetricSeries::MetricSeries(const ServerInfo& info) {
  AddImages();
  AddBatches(info);
  AddLoading();
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
  const prometheus::Labels both = {{"service", labels.service}, {"method", labels.method}};
  MethodSeries series;
  for (std::size_t c = 0; c < kCodes.size(); ++c) {
    series.requests[c] = sharded.AddCounter(
        "hellocnn_requests_total",
        "Requests that have ended, by method and by the gRPC status of the response.",
        {{"service", labels.service}, {"method", labels.method}, {"code", kCodes[c]}});
  }
  series.request_duration = sharded.AddHistogram(
      "hellocnn_request_duration_seconds",
      "Time from the arrival of a request until its response was ready, failures included.",
      kSeconds, both);
  series.in_flight = sharded.AddGauge(
      "hellocnn_requests_in_flight",
      "Number of requests that have arrived and whose response is not ready yet.", both);
  if (labels.takes_images) {
    series.request_images = sharded.AddHistogram(
        "hellocnn_request_images", "Number of images in an accepted request.", kImages, method);
  }
  series.received_bytes = sharded.AddCounter("hellocnn_received_bytes_total",
                                             "Bytes of the messages that were received.", method);
  series.sent_bytes = sharded.AddCounter("hellocnn_sent_bytes_total",
                                         "Bytes of the messages that were sent.", method);
  return series;
}

ModelSeries MetricSeries::AddModel(const ModelLabels& labels) {
  ModelSeries series;
  series.info = &ModelInfo().Add(
      {{"model", labels.name}, {"version", labels.version}, {"engine", labels.engine}});
  series.info->Set(1);
  Gauge("hellocnn_engine_info", "Always 1, with a label that says which engine computes.")
      .Add({{"engine", labels.engine}})
      .Set(1);
  Gauge("hellocnn_model_test_accuracy_ratio",
        "Share of the test digits that the model classifies correctly, or NaN if it is not known.")
      .Add({})
      .Set(labels.test_accuracy.value_or(std::numeric_limits<double>::quiet_NaN()));
  Gauge("hellocnn_model_card_mismatch",
        "1 if the model card was written for other weights than those served, else 0.")
      .Add({})
      .Set(labels.card_of_other_weights ? 1 : 0);
  for (const std::string& label : labels.class_labels) {
    series.predictions.push_back(sharded.AddCounter(
        "hellocnn_predictions_total", "Images in OK responses, by their most likely class.",
        {{"class", label}}));
  }
  return series;
}

void MetricSeries::RemoveModel(const ModelSeries& model) { ModelInfo().Remove(model.info); }

MetricSeries::Counter MetricSeries::AddReason(ReasonOf what, const std::string& label) {
  switch (what) {
    case ReasonOf::kRejection:
      return sharded.AddCounter("hellocnn_requests_refused_total",
                                "Requests that were rejected and therefore not queued, by reason.",
                                {{"reason", label}});
    case ReasonOf::kRelease:
      return sharded.AddCounter("hellocnn_batch_released_total",
                                "Batches, by the reason why they were released from the queue.",
                                {{"reason", label}});
    case ReasonOf::kLimit:
      return sharded.AddCounter("hellocnn_transport_limits_total",
                                "Calls that were rejected and connections that were closed because "
                                "a client reached a limit of the transport, by limit.",
                                {{"reason", label}});
    case ReasonOf::kDrop:
      break;
  }
  return sharded.AddCounter("hellocnn_images_dropped_total",
                            "Images that left the queue without being computed, by reason.",
                            {{"reason", label}});
}

void MetricSeries::AddImages() {
  accepted =
      sharded.AddCounter("hellocnn_images_accepted_total", "Images that the queue has accepted.");
  const auto computed = [this](const char* outcome) {
    return sharded.AddCounter("hellocnn_images_computed_total",
                              "Images that the engine has run on, by outcome: sent in an OK "
                              "response, discarded, or failed.",
                              {{"outcome", outcome}});
  };
  answered = computed("answered");
  abandoned = computed("abandoned");
  failed = computed("failed");
}

void MetricSeries::AddBatches(const ServerInfo& info) {
  queue_images =
      &Gauge("hellocnn_queue_images", "Number of images that wait, in all queues.").Add({});
  queue_capacity = &Gauge("hellocnn_queue_capacity_images",
                          "Number of images that fit into the queue of one version.")
                        .Add({});
  queue_capacity->Set(info.queue_capacity);
  queue_duration = sharded.AddHistogram("hellocnn_queue_duration_seconds",
                                        "Time for which a request waited in the queue.", kSeconds);
  compute_duration = sharded.AddHistogram("hellocnn_compute_duration_seconds",
                                          "Time for which the engine computed a batch.", kSeconds);
  batch_size = sharded.AddHistogram("hellocnn_batch_size", "Number of images in a batch.", kImages);
  Gauge("hellocnn_workers", "Number of threads that handle calls and compute batches.")
      .Add({})
      .Set(info.workers);
  for (int w = 0; w < info.workers; ++w) {
    busy.push_back(sharded.AddCounter(
        "hellocnn_worker_busy_seconds_total",
        "Time that a worker has spent on calls and batches, without its time of waiting.",
        {{"worker", std::to_string(w)}}));
  }
}

void MetricSeries::AddLoading() {
  model_load_duration =
      &Gauge("hellocnn_model_load_duration_seconds",
             "Time from opening the model's files until the end of the warm-up, or 0 before that.")
           .Add({});
  model_loaded_timestamp =
      &Gauge("hellocnn_model_loaded_timestamp_seconds",
             "Time at which the model became ready, in seconds since 1970, or 0 before that.")
           .Add({});
  auto& versions =
      Gauge("hellocnn_model_versions",
            "Number of versions of models, by state: serving, or failed if something is wrong.");
  serving_versions = &versions.Add({{"state", "serving"}});
  failed_versions = &versions.Add({{"state", "failed"}});
  confidence = sharded.AddHistogram(
      "hellocnn_prediction_confidence_ratio",
      "Probability of the most likely class of an image in an OK response.", kProbabilities);
  input_mean = sharded.AddHistogram(
      "hellocnn_input_mean_ratio",
      "Mean grey level of a computed image, where 0 is black and 1 is white.", kGreyLevels);
  input_contrast = sharded.AddHistogram(
      "hellocnn_input_contrast_ratio",
      "Standard deviation of the grey levels of a computed image, where 0 is black and 1 is white.",
      kGreyLevels);
}

prometheus::Family<prometheus::Gauge>& MetricSeries::ModelInfo() {
  return Gauge("hellocnn_model_info", "Always 1, with labels that say which models are served.");
}

prometheus::Family<prometheus::Gauge>& MetricSeries::Gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace hellocnn::server
