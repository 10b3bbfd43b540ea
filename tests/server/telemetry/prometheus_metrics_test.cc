#include "server/telemetry/prometheus_metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class PrometheusMetricsTest : public ::testing::Test {
 protected:
  std::string Scrape() const {
    return prometheus::TextSerializer().Serialize(metrics_.collectable()->Collect());
  }
  // Every value that a label has in any series.
  std::set<std::string> LabelValues(const std::string& label) const {
    std::set<std::string> values;
    for (const auto& family : metrics_.collectable()->Collect()) {
      for (const auto& metric : family.metric) {
        for (const auto& pair : metric.label) {
          if (pair.name == label) values.insert(pair.value);
        }
      }
    }
    return values;
  }

  PrometheusMetrics metrics_{4096};
};

TEST_F(PrometheusMetricsTest, RequestIsCountedByMethodAndCodeWithItsDuration) {
  metrics_.OnRequest("Classify", absl::StatusCode::kOk, absl::Microseconds(300));
  metrics_.OnRequest("Classify", absl::StatusCode::kInvalidArgument, absl::Microseconds(15));
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hellocnn_requests_total{code=\"OK\",method=\"Classify\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("hellocnn_requests_total{code=\"INVALID_ARGUMENT\",method=\"Classify\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("hellocnn_requests_total{code=\"INTERNAL\",method=\"GetModel\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_request_duration_seconds_count{method=\"Classify\"} 2\n"));
  EXPECT_THAT(
      text,
      HasSubstr("hellocnn_request_duration_seconds_bucket{method=\"Classify\",le=\"0.0002\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("hellocnn_request_duration_seconds_bucket{method=\"Classify\",le=\"0.0005\"} 2\n"));
}

TEST_F(PrometheusMetricsTest, ClassifiedRequestCountsImagesAndQueueTime) {
  metrics_.OnClassified(5, {.queue = absl::Milliseconds(250)});
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_total 5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_sum 0.25\n"));
}

TEST_F(PrometheusMetricsTest, BatchCountsItsSizeAndComputeTime) {
  metrics_.OnBatch(32, absl::Milliseconds(500));
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"16\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"32\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_compute_duration_seconds_sum 0.5\n"));
}

TEST_F(PrometheusMetricsTest, DroppedImagesAreCountedByReason) {
  metrics_.OnDropped(2, absl::DeadlineExceededError(""));
  metrics_.OnDropped(3, absl::CancelledError(""));
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"deadline\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"cancelled\"} 3\n"));
}

TEST_F(PrometheusMetricsTest, QueueIsReadAtEachScrape) {
  EXPECT_THAT(Scrape(), HasSubstr("hellocnn_queue_images 0\n"));
  int waiting = 7;
  metrics_.SetQueueSource([&waiting] { return waiting; });
  EXPECT_THAT(Scrape(), HasSubstr("hellocnn_queue_images 7\n"));
  waiting = 8;
  EXPECT_THAT(Scrape(), HasSubstr("hellocnn_queue_images 8\n"));
  metrics_.SetQueueSource(nullptr);
  EXPECT_THAT(Scrape(), HasSubstr("hellocnn_queue_images 0\n"));
  EXPECT_THAT(Scrape(), HasSubstr("hellocnn_queue_capacity_images 4096\n"));
}

TEST_F(PrometheusMetricsTest, LabelsHaveOnlyTheirFixedValuesWhateverComes) {
  const auto codes_before = LabelValues("code");
  EXPECT_EQ(codes_before.size(), 17);
  metrics_.OnRequest("/made/up", static_cast<absl::StatusCode>(4242), absl::ZeroDuration());
  metrics_.OnRequest("", static_cast<absl::StatusCode>(-1), absl::ZeroDuration());
  EXPECT_EQ(LabelValues("code"), codes_before);
  EXPECT_THAT(LabelValues("method"),
              UnorderedElementsAre("Classify", "ClassifyStream", "GetModel", "other"));
  EXPECT_THAT(LabelValues("reason"), UnorderedElementsAre("deadline", "cancelled"));
  EXPECT_THAT(Scrape(),
              HasSubstr("hellocnn_requests_total{code=\"UNKNOWN\",method=\"other\"} 2\n"));
  EXPECT_THAT(Scrape(), Not(HasSubstr("made")));
}

TEST_F(PrometheusMetricsTest, CodesAreNamedAsGrpcNamesThem) {
  for (const std::string& code : LabelValues("code")) {
    bool known = false;
    for (int i = 0; i <= 16; ++i) {
      known = known || absl::StatusCodeToString(static_cast<absl::StatusCode>(i)) == code;
    }
    EXPECT_TRUE(known) << code;
  }
}

TEST_F(PrometheusMetricsTest, NothingIsLostWhenManyThreadsCount) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 1000; ++i) {
        metrics_.OnRequest("ClassifyStream", absl::StatusCode::kOk, absl::Milliseconds(1));
      }
    });
  }
  for (int i = 0; i < 5; ++i) Scrape();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Scrape(),
              HasSubstr("hellocnn_requests_total{code=\"OK\",method=\"ClassifyStream\"} 4000\n"));
}

}  // namespace
}  // namespace hellocnn::server
