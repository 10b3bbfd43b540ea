#include "loadgen/run/server_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using ::testing::HasSubstr;

Look At(int seconds, const std::string& text) {
  return {MetricsPage::Parse(text).value(), Instant() + absl::Seconds(seconds)};
}

constexpr char kBefore[] = R"(
hellocnn_images_computed_total{outcome="answered"} 100
hellocnn_images_computed_total{outcome="failed"} 5
hellocnn_request_duration_seconds_sum{method="Classify"} 1
hellocnn_request_duration_seconds_count{method="Classify"} 10
hellocnn_request_duration_seconds_sum{method="ClassifyStream"} 0
hellocnn_request_duration_seconds_count{method="ClassifyStream"} 0
hellocnn_request_duration_seconds_sum{method="GetModel"} 1
hellocnn_request_duration_seconds_count{method="GetModel"} 1
hellocnn_batch_size_sum 100
hellocnn_batch_size_count 10
process_cpu_seconds_total 7
)";
constexpr char kAfter[] = R"(
hellocnn_images_computed_total{outcome="answered"} 400
hellocnn_images_computed_total{outcome="failed"} 6
hellocnn_request_duration_seconds_sum{method="Classify"} 2
hellocnn_request_duration_seconds_count{method="Classify"} 20
hellocnn_request_duration_seconds_sum{method="ClassifyStream"} 2
hellocnn_request_duration_seconds_count{method="ClassifyStream"} 5
hellocnn_request_duration_seconds_sum{method="GetModel"} 9
hellocnn_request_duration_seconds_count{method="GetModel"} 2
hellocnn_batch_size_sum 400
hellocnn_batch_size_count 30
process_cpu_seconds_total 8.5
)";

TEST(ServerView, IsWhatHappenedBetweenTwoLooks) {
  const auto view = Difference(At(10, kBefore), At(13, kAfter));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->images_answered, 300);
  EXPECT_EQ(view->batches, 20);
  EXPECT_EQ(view->mean_batch_size, 15);
  EXPECT_EQ(view->mean_request_seconds, 0.2);  // (1 + 2) s over 10 + 5, without GetModel
  EXPECT_EQ(view->cpu_seconds, 1.5);
  EXPECT_EQ(view->seconds, 3);
}

TEST(ServerView, LeavesOutWhatTheServerDoesNotTell) {
  const auto view = Difference(At(0, kBefore), At(1, kAfter));
  EXPECT_EQ(view->requests_refused, std::nullopt);
  EXPECT_EQ(view->mean_queue_seconds, std::nullopt);
  // There is no mean without values either.
  EXPECT_EQ(Difference(At(0, kBefore), At(1, kBefore))->mean_batch_size, std::nullopt);
}

TEST(ServerView, ARestartIsNoticed) {
  const auto view = Difference(At(0, kAfter), At(1, kBefore));
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("gone down"));
}

TEST(ServerView, WhatIsNoUrlIsRefused) {
  EXPECT_THAT(std::string(LookAt("ftp://127.0.0.1/").status().message()),
              HasSubstr("ftp://127.0.0.1/"));
  EXPECT_EQ(LookAt("file:///etc/hostname").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hellocnn::load
