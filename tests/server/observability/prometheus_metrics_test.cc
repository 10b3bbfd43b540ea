#include "server/observability/prometheus/prometheus_metrics.h"

#include <array>
#include <memory>
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
using ::testing::Not;

ServerInfo Info() {
  ServerInfo info;
  info.version = "1.2.3";
  info.engine = "fake";
  info.card.name = "mnist";
  info.card.version = "7";
  info.card.test_accuracy = 0.975;
  for (std::size_t c = 0; c < info.card.class_labels.size(); ++c) {
    info.card.class_labels[c] = std::to_string(c);
  }
  info.workers = 2;
  info.queue_capacity = 4096;
  return info;
}

class WhiteImages : public Job {
 public:
  WhiteImages(std::size_t count, const std::byte* white, Instant deadline)
      : images_(count, {PixelFormat::kGray8, white}), predictions_(count) {
    Prepare(images_, predictions_, deadline);
  }
  void Done() override {}

 private:
  const std::vector<ImageView> images_;
  std::vector<Prediction> predictions_;
};

class PrometheusMetricsTest : public ::testing::Test {
 protected:
  // Jobs of white images, as the queue would hand them over. They wait for 250 ms.
  BatchQueue::Taken Batch(const std::vector<int>& images) {
    for (const int count : images) Push(count);
    return queue_.Take(start_ + absl::Milliseconds(250), {});
  }
  Job* Push(int images, Instant deadline = Instant::InfiniteFuture()) {
    Job* const job = jobs_
                         .emplace_back(std::make_unique<WhiteImages>(
                             static_cast<std::size_t>(images), white_.data(), deadline))
                         .get();
    EXPECT_TRUE(queue_.Push(job, start_).ok());
    return job;
  }
  std::size_t Series() const {
    std::istringstream text(metrics_.Text());
    std::size_t series = 0;
    for (std::string line; std::getline(text, line);) series += line.empty() || line[0] != '#';
    return series;
  }

  const Instant start_ = Instant() + absl::Seconds(1000);
  std::vector<std::byte> white_ =
      std::vector<std::byte>(BytesPerImage(PixelFormat::kGray8), std::byte{255});
  std::vector<std::unique_ptr<WhiteImages>> jobs_;
  BatchQueue queue_{{.max_batch_size = 32, .capacity = 1000}};
  PrometheusMetrics metrics_{Info()};
};

TEST_F(PrometheusMetricsTest, RequestIsCountedByMethodAndCodeWithItsDurationAndBytes) {
  metrics_.OnReceived(Method::kClassify, 1000);
  metrics_.OnReceived(Method::kClassify, 500);
  EXPECT_THAT(metrics_.Text(),
              ContainsRegex("hellocnn_requests_in_flight\\{method=\"Classify\",[^}]*\\} 2\n"));
  metrics_.OnEnd(Method::kClassify, absl::StatusCode::kOk, absl::Microseconds(300), 77);
  metrics_.OnEnd(Method::kClassify, absl::StatusCode::kInvalidArgument, absl::Microseconds(15), 0);
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

TEST_F(PrometheusMetricsTest, AcceptedRefusedAnsweredAndAbandonedAreCounted) {
  metrics_.OnAccepted(Method::kClassifyStream, 3);
  metrics_.OnRefused(Refusal::kQueueFull);
  std::array<Prediction, 2> predictions;
  predictions[0].log_probabilities.fill(-100);
  predictions[0].log_probabilities[4] = 0;
  predictions[1] = predictions[0];
  metrics_.OnAnswered(AnswerStatistics(predictions));
  metrics_.OnAbandoned(1);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_accepted_total 3\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_request_images_sum{method=\"ClassifyStream\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_requests_refused_total{reason=\"queue_full\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"answered\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"abandoned\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_predictions_total{class=\"4\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_bucket{le=\"0.999\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_prediction_confidence_ratio_sum 2\n"));
}

TEST_F(PrometheusMetricsTest, BatchCountsItsImagesItsJobsAndItsWorker) {
  const BatchQueue::Taken batch = Batch({30, 4});
  metrics_.OnBatch(batch, absl::Milliseconds(500));
  metrics_.OnBusy(1, absl::Milliseconds(500));
  std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"16\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_size_bucket{le=\"32\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_compute_duration_seconds_sum 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_worker_busy_seconds_total{worker=\"0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_worker_busy_seconds_total{worker=\"1\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_released_total{reason=\"full\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_sum 0.5\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_mean_ratio_bucket{le=\"0.5\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_mean_ratio_bucket{le=\"1\"} 32\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_contrast_ratio_bucket{le=\"0.025\"} 32\n"));

  // The rest of the second job: it has left the queue already.
  BatchQueue::Taken rest = Batch({});
  for (Slice& slice : rest.slices) slice.status = absl::InternalError("");
  metrics_.OnBatch(rest, absl::Milliseconds(1));
  text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_batch_released_total{reason=\"idle\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_computed_total{outcome=\"failed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_input_mean_ratio_count 34\n"));
}

TEST_F(PrometheusMetricsTest, DroppedImagesAreCountedByReasonAndTheirWaitOnce) {
  Push(2, start_ + absl::Milliseconds(1));
  Push(3)->Cancel();
  Job* const split = Push(40);
  const BatchQueue::Taken first = Batch({});
  ASSERT_EQ(first.dropped.size(), 2U);
  for (const BatchQueue::Dropped& dropped : first.dropped) metrics_.OnDropped(dropped);
  metrics_.OnBatch(first, absl::ZeroDuration());
  split->Cancel();
  for (const BatchQueue::Dropped& dropped : Batch({}).dropped) metrics_.OnDropped(dropped);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"deadline\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_images_dropped_total{reason=\"cancelled\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("hellocnn_queue_duration_seconds_count 3\n"));
}

TEST_F(PrometheusMetricsTest, WhatIsDroppedAfterAFailureIsCountedAsFailed) {
  Push(40);
  BatchQueue::Taken batch = Batch({});
  for (Slice& slice : batch.slices) slice.status = absl::InternalError("boom");
  const BatchQueue::Finished finished = queue_.Finish(batch, start_, {});
  ASSERT_EQ(finished.dropped.size(), 1U);
  metrics_.OnDropped(finished.dropped[0]);
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_images_dropped_total{reason=\"failed\"} 8\n"));
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
  metrics_.OnLoaded(absl::Milliseconds(1500));
  EXPECT_THAT(metrics_.Text(), HasSubstr("hellocnn_model_load_duration_seconds 1.5\n"));
}

TEST_F(PrometheusMetricsTest, EverySeriesIsThereFromTheStartAndNothingAddsOne) {
  const std::size_t before = Series();
  for (const Method method : {Method::kClassify, Method::kClassifyStream}) {
    metrics_.OnReceived(method, 1);
    metrics_.OnAccepted(method, 1);
    for (int code = -1; code < 20; ++code) {
      metrics_.OnEnd(method, static_cast<absl::StatusCode>(code), absl::Seconds(1), 1);
    }
  }
  metrics_.OnBatch(Batch({5, 40}), absl::Seconds(1));
  metrics_.OnLoaded(absl::Seconds(1));
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
  ServerInfo info = Info();
  info.card.class_labels[0] = "a \"quoted\" label";
  const std::string text = PrometheusMetrics(info).Text();
  EXPECT_THAT(text, HasSubstr("hellocnn_predictions_total{class=\"a \\\"quoted\\\" label\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("class=\"0\"")));
}

TEST_F(PrometheusMetricsTest, NothingIsLostWhenManyThreadsCount) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 1000; ++i) {
        metrics_.OnReceived(Method::kGetModel, 1);
        metrics_.OnEnd(Method::kGetModel, absl::StatusCode::kOk, absl::Milliseconds(1), 2);
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
