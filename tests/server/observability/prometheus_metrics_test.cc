#include "server/observability/prometheus/prometheus_metrics.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/observability/metrics_page.h"

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

// A label of the model that the fixture adds.
constexpr char kOfModel[] = R"(model="mnist")";

class PrometheusMetricsTest : public ::testing::Test {
 protected:
  MethodId AddMethod(const std::string& method, bool takes_images = true) {
    return metrics_.AddMethod({.service = "hellocnn.v1.ClassifierService",
                               .method = method,
                               .takes_images = takes_images});
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
  metrics_.OnEnd({.method = classify_,
                  .model = model_,
                  .duration = absl::Microseconds(300),
                  .sent_bytes = 77});
  metrics_.OnEnd({.method = classify_,
                  .model = model_,
                  .code = absl::StatusCode::kInvalidArgument,
                  .duration = absl::Microseconds(15)});
  const std::string text = metrics_.Text();
  const std::string service = "service=\"hellocnn.v1.ClassifierService\"";
  const std::string classify = "method=\"Classify\",model=\"mnist\"," + service + ",version=\"7\"";
  EXPECT_EQ(Sum(text, "hellocnn_requests_total", {R"(code="OK")"}), 1);
  EXPECT_EQ(Sum(text, "hellocnn_requests_total", {R"(code="INVALID_ARGUMENT")"}), 1);
  EXPECT_EQ(Sum(text, "hellocnn_requests_in_flight", {R"(method="Classify")"}), 0);
  const std::string duration = "hellocnn_request_duration_seconds";
  EXPECT_THAT(text, HasSubstr(duration + "_count{" + classify + "} 2\n"));
  EXPECT_THAT(text, HasSubstr(duration + "_bucket{" + classify + ",le=\"0.0002\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(duration + "_bucket{" + classify + ",le=\"0.0005\"} 2\n"));
  EXPECT_EQ(Sum(text, "hellocnn_received_bytes_total", {R"(method="Classify")"}), 1500);
  EXPECT_EQ(Sum(text, "hellocnn_sent_bytes_total", {R"(method="Classify")"}), 77);
}

TEST_F(PrometheusMetricsTest, AcceptedRejectedSentAndDiscardedAreCounted) {
  const ReasonId queue_full = metrics_.AddReason(ReasonOf::kRejection, "queue_full");
  metrics_.OnAccepted(stream_, model_, 3);
  metrics_.OnRejected(stream_, model_, queue_full);
  const std::array confidences = {Confidence{4, 1.0}, Confidence{4, 1.0}};
  metrics_.OnEnd(
      {.method = stream_, .model = model_, .sent_images = 2, .confidences = confidences});
  metrics_.OnEnd({.method = stream_, .model = model_, .discarded_images = 1});
  metrics_.OnDiscarded(model_, 5);
  const std::string text = metrics_.Text();
  EXPECT_EQ(Sum(text, "hellocnn_images_accepted_total", {kOfModel}), 3);
  EXPECT_EQ(Sum(text, "hellocnn_request_images_sum", {kOfModel, R"(method="ClassifyStream")"}), 3);
  EXPECT_EQ(Sum(text, "hellocnn_requests_refused_total", {kOfModel, R"(reason="queue_full")"}), 1);
  EXPECT_EQ(Sum(text, "hellocnn_images_computed_total", {kOfModel, R"(outcome="answered")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_images_computed_total", {kOfModel, R"(outcome="abandoned")"}), 6);
  EXPECT_EQ(Sum(text, "hellocnn_predictions_total", {kOfModel, R"(class="4")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_prediction_confidence_ratio_bucket", {kOfModel, R"(le="0.999")"}),
            0);
  EXPECT_EQ(Sum(text, "hellocnn_prediction_confidence_ratio_bucket", {kOfModel, R"(le="1")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_prediction_confidence_ratio_sum", {kOfModel}), 2);
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
  EXPECT_EQ(Sum(text, "hellocnn_batch_size_bucket", {kOfModel, R"(le="16")"}), 0);
  EXPECT_EQ(Sum(text, "hellocnn_batch_size_bucket", {kOfModel, R"(le="32")"}), 1);
  EXPECT_EQ(Sum(text, "hellocnn_compute_duration_seconds_sum", {kOfModel}), 0.5);
  EXPECT_EQ(Sum(text, "hellocnn_worker_busy_seconds_total", {R"(worker="0")"}), 0);
  EXPECT_THAT(text, HasSubstr("hellocnn_worker_busy_seconds_total{worker=\"1\"} 0.5\n"));
  EXPECT_EQ(Sum(text, "hellocnn_batch_released_total", {kOfModel, R"(reason="full")"}), 1);
  EXPECT_EQ(Sum(text, "hellocnn_queue_duration_seconds_count", {kOfModel}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_queue_duration_seconds_sum", {kOfModel}), 0.5);
  EXPECT_EQ(Sum(text, "hellocnn_images_computed_total", {kOfModel, R"(outcome="failed")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_input_mean_ratio_bucket", {kOfModel, R"(le="0.5")"}), 0);
  EXPECT_EQ(Sum(text, "hellocnn_input_mean_ratio_bucket", {kOfModel, R"(le="1")"}), 32);
  EXPECT_EQ(Sum(text, "hellocnn_input_contrast_ratio_bucket", {kOfModel, R"(le="0.025")"}), 32);
  EXPECT_EQ(metrics_.overview().batches, 1);
}

TEST_F(PrometheusMetricsTest, DroppedImagesAreCountedByReasonAndTheirWaitOnce) {
  const ReasonId deadline = metrics_.AddReason(ReasonOf::kDrop, "deadline");
  const ReasonId cancelled = metrics_.AddReason(ReasonOf::kDrop, "cancelled");
  metrics_.OnDropped(model_, 2, deadline, absl::Milliseconds(1));
  metrics_.OnDropped(model_, 11, cancelled, std::nullopt);
  const std::string text = metrics_.Text();
  EXPECT_EQ(Sum(text, "hellocnn_images_dropped_total", {kOfModel, R"(reason="deadline")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_images_dropped_total", {kOfModel, R"(reason="cancelled")"}), 11);
  EXPECT_EQ(Sum(text, "hellocnn_queue_duration_seconds_count", {kOfModel}), 1);
}

TEST_F(PrometheusMetricsTest, LimitsAreCountedByReasonAndAreThereFromTheStart) {
  const ReasonId flood = metrics_.AddReason(ReasonOf::kLimit, "flood");
  metrics_.AddReason(ReasonOf::kLimit, "streams");
  metrics_.OnLimit(flood);
  metrics_.OnLimit(flood);
  const std::string text = metrics_.Text();
  EXPECT_EQ(Sum(text, "hellocnn_transport_limits_total", {R"(reason="flood")"}), 2);
  EXPECT_EQ(Sum(text, "hellocnn_transport_limits_total", {R"(reason="streams")"}), 0);
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

TEST_F(PrometheusMetricsTest, GaugesAreReadAtEachScrape) {
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_queue_images", {kOfModel}), 0);
  int waiting = 7;
  metrics_.SetGauges({.queued_images = [&waiting](ModelId /*model*/) { return waiting; },
                      .connections = [] { return 3; }});
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_queue_images", {kOfModel}), 7);
  EXPECT_EQ(metrics_.overview().queued_images, 7);
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_connections"), 3);
  waiting = 8;
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_queue_images", {kOfModel}), 8);
  metrics_.SetGauges({});
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_queue_images", {kOfModel}), 0);
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_queue_capacity_images", {kOfModel}), 4096);
}

TEST_F(PrometheusMetricsTest, ReadyFollowsWhatItIsTold) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 0\n"));
  metrics_.SetReady(true);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 1\n"));
  metrics_.SetReady(false);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_ready 0\n"));
}

TEST_F(PrometheusMetricsTest, EverySeriesIsThereOnceItsLabelsAreAndCountingAddsNone) {
  const ReasonId reason = metrics_.AddReason(ReasonOf::kRelease, "full");
  const std::size_t before = SeriesOf(metrics_.Text());
  for (const MethodId method : {classify_, stream_}) {
    metrics_.OnReceived(method, 1);
    metrics_.OnAccepted(method, model_, 1);
    for (int code = -1; code < 20; ++code) {
      metrics_.OnEnd(
          {.method = method, .model = model_, .code = static_cast<absl::StatusCode>(code)});
    }
  }
  metrics_.OnBatch({.model = model_, .images = 5, .release = reason});
  metrics_.OnModelLoaded(model_, absl::Seconds(1));
  EXPECT_EQ(SeriesOf(metrics_.Text()), before);
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
