#include "server/observability/prometheus/prometheus_metrics.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

ServerInfo Info() { return {.version = "1.2.3", .workers = 2, .queue_capacity = 4096}; }

ModelLabels Model(const std::string& version, int classes) {
  ModelLabels labels{.name = "mnist", .version = version, .engine = "fake", .test_accuracy = 0.975};
  for (int c = 0; c < classes; ++c) labels.class_labels.push_back(std::to_string(c));
  return labels;
}

class PrometheusMetricsTest : public ::testing::Test {
 protected:
  MethodId AddMethod(const std::string& method, bool takes_images = true) {
    return metrics_.AddMethod({.service = "hellocnn.v1.ClassifierService",
                               .method = method,
                               .takes_images = takes_images});
  }
  std::size_t Series() const {
    std::istringstream text(metrics_.Text());
    std::size_t series = 0;
    for (std::string line; std::getline(text, line);) series += line.empty() || line[0] != '#';
    return series;
  }

  PrometheusMetrics metrics_{Info()};
  const MethodId classify_ = AddMethod("Classify");
  const MethodId stream_ = AddMethod("ClassifyStream");
  const MethodId get_model_ = AddMethod("GetModel", /*takes_images=*/false);
  const ModelId model_ = metrics_.AddModel(Model("7", 10));
};

TEST_F(PrometheusMetricsTest, RequestIsCountedByMethodAndCodeWithItsDurationAndBytes) {
  metrics_.OnReceived(classify_, 1000);
  metrics_.OnReceived(classify_, 500);
  EXPECT_THAT(metrics_.Text(),
              ContainsRegex("hellocnn_requests_in_flight\\{method=\"Classify\",[^}]*\\} 2\n"));
  metrics_.OnEnd({.method = classify_, .duration = absl::Microseconds(300), .sent_bytes = 77});
  metrics_.OnEnd({.method = classify_,
                  .code = absl::StatusCode::kInvalidArgument,
                  .duration = absl::Microseconds(15)});
  const std::string text = metrics_.Text();
  const std::string service = "service=\"hellocnn.v1.ClassifierService\"";
  const std::string classify = "method=\"Classify\"," + service;
  EXPECT_THAT(text, HasSubstr("hellocnn_requests_total{code=\"OK\"," + classify + "} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("hellocnn_requests_total{code=\"INVALID_ARGUMENT\"," + classify + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_requests_in_flight{" + classify + "} 0\n"));
  const std::string duration = "hellocnn_request_duration_seconds";
  EXPECT_THAT(text, HasSubstr(duration + "_count{" + classify + "} 2\n"));
  EXPECT_THAT(text, HasSubstr(duration + "_bucket{" + classify + ",le=\"0.0002\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(duration + "_bucket{" + classify + ",le=\"0.0005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_received_bytes_total{method=\"Classify\"} 1500\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_sent_bytes_total{method=\"Classify\"} 77\n"));
}

TEST_F(PrometheusMetricsTest, AcceptedRejectedSentAndDiscardedAreCounted) {
  const ReasonId queue_full = metrics_.AddReason(ReasonOf::kRejection, "queue_full");
  metrics_.OnAccepted(stream_, model_, 3);
  metrics_.OnRejected(stream_, queue_full);
  const std::array confidences = {Confidence{4, 1.0}, Confidence{4, 1.0}};
  metrics_.OnEnd(
      {.method = stream_, .model = model_, .sent_images = 2, .confidences = confidences});
  metrics_.OnEnd({.method = stream_, .model = model_, .discarded_images = 1});
  metrics_.OnDiscarded(model_, 5);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_accepted_total 3\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_request_images_sum{method=\"ClassifyStream\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_requests_refused_total{reason=\"queue_full\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"answered\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"abandoned\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_predictions_total{class=\"4\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_bucket{le=\"0.999\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_sum 2\n"));
}

TEST_F(PrometheusMetricsTest, BatchCountsItsImagesItsRequestsAndItsWorker) {
  const ReasonId full = metrics_.AddReason(ReasonOf::kRelease, "full");
  const std::array waits = {absl::Milliseconds(200), absl::Milliseconds(300)};
  const std::vector<GreyLevels> levels(32, {.mean = 1, .contrast = 0});
  metrics_.OnBatch({.model = model_,
                    .images = 32,
                    .failed_images = 2,
                    .release = full,
                    .compute = absl::Milliseconds(500),
                    .queue_waits = waits,
                    .grey_levels = levels});
  metrics_.OnBusy(1, absl::Milliseconds(500));
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"16\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"32\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_compute_duration_seconds_sum 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_worker_busy_seconds_total{worker=\"0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_worker_busy_seconds_total{worker=\"1\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_released_total{reason=\"full\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_sum 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"failed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_mean_ratio_bucket{le=\"0.5\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_mean_ratio_bucket{le=\"1\"} 32\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_contrast_ratio_bucket{le=\"0.025\"} 32\n"));
  EXPECT_EQ(metrics_.overview().batches, 1);
}

TEST_F(PrometheusMetricsTest, DroppedImagesAreCountedByReasonAndTheirWaitOnce) {
  const ReasonId deadline = metrics_.AddReason(ReasonOf::kDrop, "deadline");
  const ReasonId cancelled = metrics_.AddReason(ReasonOf::kDrop, "cancelled");
  metrics_.OnDropped(model_, 2, deadline, absl::Milliseconds(1));
  metrics_.OnDropped(model_, 11, cancelled, std::nullopt);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"deadline\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"cancelled\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_count 1\n"));
}

TEST_F(PrometheusMetricsTest, LimitsAreCountedByReasonAndAreThereFromTheStart) {
  const ReasonId flood = metrics_.AddReason(ReasonOf::kLimit, "flood");
  metrics_.AddReason(ReasonOf::kLimit, "streams");
  metrics_.OnLimit(flood);
  metrics_.OnLimit(flood);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_transport_limits_total{reason=\"flood\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_transport_limits_total{reason=\"streams\"} 0\n"));
}

TEST_F(PrometheusMetricsTest, KnownLabelsHaveTheSameId) {
  EXPECT_EQ(AddMethod("Classify"), classify_);
  EXPECT_NE(AddMethod("Other"), classify_);
  EXPECT_EQ(metrics_.AddModel(Model("7", 10)), model_);
  EXPECT_NE(metrics_.AddModel(Model("8", 10)), model_);
  const ReasonId dropped = metrics_.AddReason(ReasonOf::kDrop, "deadline");
  EXPECT_EQ(metrics_.AddReason(ReasonOf::kDrop, "deadline"), dropped);
  EXPECT_NE(metrics_.AddReason(ReasonOf::kRejection, "deadline"), dropped);
}

// A model may have 2 to 1,024 classes, and comes while others are served. What two models have in
// common is one series.
TEST_F(PrometheusMetricsTest, ModelsWithOtherClassesAreAddedWhileThreadsCount) {
  std::atomic<bool> stop = false;
  std::thread counting([&] {
    const std::array of_first = {Confidence{1, 0.5}};
    while (!stop) {
      metrics_.OnEnd(
          {.method = classify_, .model = model_, .sent_images = 1, .confidences = of_first});
    }
  });
  const ModelId large = metrics_.AddModel(Model("8", 1024));
  const ModelId small = metrics_.AddModel(Model("9", 2));
  const std::array of_large = {Confidence{1023, 1.0}, Confidence{0, 1.0}};
  const std::array of_small = {Confidence{0, 1.0}};
  metrics_.OnEnd({.method = stream_, .model = large, .sent_images = 2, .confidences = of_large});
  metrics_.OnEnd({.method = stream_, .model = small, .sent_images = 1, .confidences = of_small});
  stop = true;
  counting.join();
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_predictions_total{class=\"1023\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_predictions_total{class=\"0\"} 2\n"));
  for (const char* version : {"7", "8", "9"}) {
    EXPECT_THAT(text,
                ContainsRegex(std::string("hellocnn_model_info\\{[^}]*version=\"") + version));
  }
}

TEST_F(PrometheusMetricsTest, GaugesAreReadAtEachScrape) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_queue_images 0\n"));
  int waiting = 7;
  metrics_.SetGauges(
      {.queued_images = [&waiting] { return waiting; }, .connections = [] { return 3; }});
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_queue_images 7\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_connections 3\n"));
  waiting = 8;
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_queue_images 8\n"));
  metrics_.SetGauges({});
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_queue_images 0\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_queue_capacity_images 4096\n"));
}

TEST_F(PrometheusMetricsTest, ReadyFollowsWhatItIsTold) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 0\n"));
  metrics_.SetReady(true);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 1\n"));
  metrics_.SetReady(false);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 0\n"));
}

TEST_F(PrometheusMetricsTest, ModelThatIsLoadedHasItsLoadingTime) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_model_loaded_timestamp_seconds 0\n"));
  metrics_.OnModelLoaded(model_, absl::Milliseconds(1500));
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_model_load_duration_seconds 1.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_model_test_accuracy_ratio 0.975\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_model_card_mismatch 0\n"));
  EXPECT_THAT(text, ContainsRegex("hellocnn_model_loaded_timestamp_seconds [1-9]"));
}

TEST_F(PrometheusMetricsTest, ModelsThatComeAndGoAddNoSeries) {
  const std::size_t before = Series();
  ModelId last = model_;
  for (int version = 2; version < 200; ++version) {
    const ModelId next = metrics_.AddModel(
        {.name = "digits", .version = std::to_string(version), .class_labels = {"0", "1"}});
    metrics_.OnModelUnloaded(last);
    // It uses the id of the one before the last.
    EXPECT_LT(static_cast<int>(next), 2);
    last = next;
  }
  EXPECT_LE(Series(), before + 2);  // the labels of the classes
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("version=\"199\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("version=\"198\"")));
}

TEST_F(PrometheusMetricsTest, VersionsAreCountedByState) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_model_versions{state=\"serving\"} 0\n"));
  metrics_.OnVersions(3, 1);
  EXPECT_EQ(metrics_.overview().queue_capacity, 3 * 4096);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_model_versions{state=\"serving\"} 3\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_model_versions{state=\"failed\"} 1\n"));
}

TEST_F(PrometheusMetricsTest, EverySeriesIsThereOnceItsLabelsAreAndCountingAddsNone) {
  const ReasonId reason = metrics_.AddReason(ReasonOf::kRelease, "full");
  const std::size_t before = Series();
  for (const MethodId method : {classify_, stream_}) {
    metrics_.OnReceived(method, 1);
    metrics_.OnAccepted(method, model_, 1);
    for (int code = -1; code < 20; ++code) {
      metrics_.OnEnd({.method = method, .code = static_cast<absl::StatusCode>(code)});
    }
  }
  metrics_.OnBatch({.model = model_, .images = 5, .release = reason});
  metrics_.OnModelLoaded(model_, absl::Seconds(1));
  EXPECT_EQ(Series(), before);
  const std::string text = metrics_.Text();
  // -1 and 17 to 19 are no codes of gRPC's, and 2 is UNKNOWN itself.
  EXPECT_THAT(
      text,
      ContainsRegex("hellocnn_requests_total\\{code=\"UNKNOWN\",method=\"Classify\",[^}]*\\} 5\n"));
}

TEST_F(PrometheusMetricsTest, ProcessIsDescribed) {
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, ContainsRegex("\nprocess_cpu_seconds_total [0-9.e-]+\n"));
  for (const char* gauge :
       {"process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads",
        "process_start_time_seconds", "process_open_fds", "process_max_fds"}) {
    EXPECT_THAT(text, ContainsRegex(std::string(gauge) + " [1-9][0-9.e+]*\n"));
  }
}

TEST_F(PrometheusMetricsTest, LabelsOfTheModelAreEscaped) {
  metrics_.AddModel({.name = "other", .class_labels = {"a \"quoted\" label"}});
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("hellocnn_predictions_total{class=\"a \\\"quoted\\\" label\"} 0\n"));
}

TEST_F(PrometheusMetricsTest, NothingIsLostWhenManyThreadsCount) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 1000; ++i) {
        metrics_.OnReceived(get_model_, 1);
        metrics_.OnEnd({.method = get_model_, .duration = absl::Milliseconds(1), .sent_bytes = 2});
      }
    });
  }
  for (int i = 0; i < 5; ++i) metrics_.Text();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics_.overview().requests, 4000);
  EXPECT_EQ(metrics_.overview().requests_in_flight, 0);
}

}  // namespace
}  // namespace hellocnn::server
