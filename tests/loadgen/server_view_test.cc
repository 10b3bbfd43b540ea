#include "loadgen/run/server_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

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
  EXPECT_EQ(view.problem, "");
  EXPECT_EQ(view.images_answered, 300);
  EXPECT_EQ(view.batches, 20);
  EXPECT_EQ(view.mean_batch_size, 15);
  EXPECT_EQ(view.mean_request_seconds, 0.2);  // (1 + 2) s over 10 + 5, without GetModel
  EXPECT_EQ(view.cpu_seconds, 1.5);
  EXPECT_EQ(view.seconds, 3);
}

TEST(ServerView, LeavesOutWhatTheServerDoesNotTell) {
  const auto view = Difference(At(0, kBefore), At(1, kAfter));
  EXPECT_EQ(view.requests_refused, std::nullopt);
  EXPECT_EQ(view.mean_queue_seconds, std::nullopt);
  // There is no mean without values either.
  EXPECT_EQ(Difference(At(0, kBefore), At(1, kBefore)).mean_batch_size, std::nullopt);
}

// The new process may have computed more than the old one, so that no counter is smaller.
TEST(ServerView, ARestartIsNoticedByTheStartTime) {
  const std::string before = absl::StrCat(kBefore, "process_start_time_seconds 1700000000.25\n");
  const ServerView view = Difference(
      At(0, before), At(1, absl::StrCat(kAfter, "process_start_time_seconds 1700000009.5\n")));
  EXPECT_TRUE(view.restarted);
  EXPECT_THAT(view.problem, HasSubstr("restarted during the run"));
  EXPECT_THAT(view.problem, HasSubstr("2023-11-14 22:13:29 UTC"));
  EXPECT_EQ(view.images_answered, std::nullopt);
  // A server may be restarted within a second of its start.
  EXPECT_TRUE(Difference(At(0, before), At(1, absl::StrCat(kAfter, "process_start_time_seconds ",
                                                           "1700000000.98\n")))
                  .restarted);
  // A small step of the wall clock changes the time of the boot, which is in whole seconds.
  EXPECT_EQ(Difference(At(0, before), At(1, absl::StrCat(kAfter, "process_start_time_seconds ",
                                                         "1700000001.25\n")))
                .images_answered,
            300);
}

TEST(ServerView, ACounterThatShrinksMeansARestart) {
  const auto view = Difference(At(0, kAfter), At(1, kBefore));
  EXPECT_TRUE(view.restarted);
  EXPECT_THAT(view.problem, HasSubstr("gone down"));
  EXPECT_EQ(view.images_answered, std::nullopt);
}

// During the run, version 2 takes the place of version 1, which is unloaded.
TEST(ServerView, AddsUpOverTheVersionsOfModels) {
  const auto view = Difference(At(0, R"(
hellocnn_images_computed_total{model="mnist",outcome="answered",version="1"} 100
hellocnn_images_computed_total{model="",outcome="answered",version="unloaded-until-2026-11-30T12:00:00Z"} 1000
hellocnn_requests_total{code="OK",method="Classify",model="mnist",version="1"} 10
hellocnn_requests_total{code="OK",method="GetModel",model="",version=""} 3
hellocnn_compute_duration_seconds_sum{model="mnist",version="1"} 0.1
hellocnn_compute_duration_seconds_sum{model="",version="unloaded-until-2026-11-30T12:00:00Z"} 0.7
hellocnn_compute_duration_seconds_count{model="mnist",version="1"} 10
)"),
                               At(1, R"(
hellocnn_images_computed_total{model="mnist",outcome="answered",version="2"} 50
hellocnn_images_computed_total{model="",outcome="answered",version="unloaded-until-2026-11-30T13:00:00Z"} 1150
hellocnn_requests_total{code="OK",method="Classify",model="mnist",version="2"} 5
hellocnn_requests_total{code="OK",method="Classify",model="",version="unloaded-until-2026-11-30T13:00:00Z"} 12
hellocnn_requests_total{code="OK",method="GetModel",model="",version=""} 4
hellocnn_compute_duration_seconds_sum{model="mnist",version="2"} 0
hellocnn_compute_duration_seconds_sum{model="",version="unloaded-until-2026-11-30T13:00:00Z"} 0.7999999999999998
hellocnn_compute_duration_seconds_count{model="",version="unloaded-until-2026-11-30T13:00:00Z"} 10
)"));
  EXPECT_EQ(view.problem, "");
  EXPECT_EQ(view.images_answered, 100);
  EXPECT_EQ(view.requests_answered, 7);
}

TEST(ServerView, WhatIsNoUrlIsRejected) {
  const std::atomic<bool> stop = false;
  EXPECT_THAT(std::string(LookAt("ftp://127.0.0.1/", stop).status().message()),
              HasSubstr("ftp://127.0.0.1/"));
  EXPECT_EQ(LookAt("file:///etc/hostname", stop).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const auto& [url, why] :
       {std::pair("http://", "the host is missing"),
        {"http:///metrics", "the host is missing"},
        {"http://127.0.0.1:99999/", "the port is '99999'; wanted is 1 to 65535"},
        {"http://[::1]:0/", "the port is '0'"},
        {"http://localhost:metrics/", "'metrics'"},
        {"http://localhost:/", "the port is ''"},
        {"http://a:b@localhost/", "password"}}) {
    const absl::Status status = LookAt(url, stop).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }
}

}  // namespace
}  // namespace hellocnn::load
