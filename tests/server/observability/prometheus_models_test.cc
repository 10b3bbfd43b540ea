// What the metrics tell of models that come and go.
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "tests/server/observability/metrics_page.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAccepted[] = "hellocnn_images_accepted_total";
constexpr char kEnded[] = "hellocnn_requests_total";

ModelLabels Labels(const std::string& name, const std::string& version, int classes = 2) {
  ModelLabels labels{.name = name, .version = version, .engine = "fake", .test_accuracy = 0.975};
  for (int c = 0; c < classes; ++c) labels.class_labels.push_back(std::to_string(c));
  return labels;
}

std::string Version(const std::string& version) { return "version=\"" + version + "\""; }

// Returns the version label of the series that have the counts of what was unloaded, or "".
std::string UnloadedVersion(const std::string& page) {
  std::smatch match;
  std::regex_search(page, match,
                    std::regex(R"re(model="",[^}]*version="(unloaded-until-[^"]*)")re"));
  return match.empty() ? "" : match[1].str();
}

class PrometheusModelsTest : public ::testing::Test {
 protected:
  // Tells all that there is to tell of one image.
  void Count(ModelId model) {
    const std::array confidences = {Confidence{1, 0.75}};
    const std::array waits = {absl::Milliseconds(2)};
    const std::array levels = {GreyLevels{.mean = 0.5, .contrast = 0.25}};
    metrics_.OnReceived(classify_, 1000);
    metrics_.OnAccepted(classify_, model, 1);
    metrics_.OnBatch({.model = model,
                      .images = 1,
                      .release = idle_,
                      .compute = absl::Milliseconds(1),
                      .queue_waits = waits,
                      .grey_levels = levels});
    metrics_.OnEnd({.method = classify_,
                    .model = model,
                    .duration = absl::Milliseconds(3),
                    .sent_images = 1,
                    .confidences = confidences});
  }

  PrometheusMetrics metrics_{{.version = "1.2.3", .workers = 2, .queue_capacity = 4096}};
  const MethodId classify_ = metrics_.AddMethod({.service = "test", .method = "Classify"});
  const MethodId get_model_ =
      metrics_.AddMethod({.service = "test", .method = "GetModel", .takes_images = false});
  const ReasonId queue_full_ = metrics_.AddReason(ReasonOf::kRejection, "queue_full");
  const ReasonId no_model_ = metrics_.AddReason(ReasonOf::kRejection, "no_model");
  const ReasonId idle_ = metrics_.AddReason(ReasonOf::kRelease, "idle");
  const ReasonId deadline_ = metrics_.AddReason(ReasonOf::kDrop, "deadline");
};

TEST_F(PrometheusModelsTest, EachVersionHasItsOwnCounts) {
  const ModelId one = metrics_.AddModel(Labels("mnist", "1"));
  const ModelId two = metrics_.AddModel(Labels("mnist", "2"));
  for (int i = 0; i < 3; ++i) Count(one);
  Count(two);
  metrics_.OnRejected(classify_, two, queue_full_);
  metrics_.OnDropped(two, 5, deadline_, absl::Milliseconds(1));
  const std::string page = metrics_.Text();
  for (const char* name :
       {kAccepted, kEnded, "hellocnn_request_duration_seconds_count", "hellocnn_batch_size_sum",
        "hellocnn_request_images_sum", "hellocnn_images_computed_total",
        "hellocnn_compute_duration_seconds_count", "hellocnn_predictions_total",
        "hellocnn_batch_released_total", "hellocnn_prediction_confidence_ratio_count",
        "hellocnn_input_mean_ratio_count", "hellocnn_input_contrast_ratio_count"}) {
    EXPECT_EQ(Sum(page, name, {R"(model="mnist")", Version("1")}), 3) << name;
    EXPECT_EQ(Sum(page, name, {R"(model="mnist")", Version("2")}), 1) << name;
  }
  EXPECT_EQ(Sum(page, "hellocnn_queue_duration_seconds_count", {Version("1")}), 3);
  EXPECT_EQ(Sum(page, "hellocnn_queue_duration_seconds_count", {Version("2")}), 2);
  EXPECT_EQ(Sum(page, "hellocnn_requests_refused_total", {Version("1")}), 0);
  EXPECT_EQ(Sum(page, "hellocnn_requests_refused_total", {Version("2")}), 1);
  EXPECT_EQ(Sum(page, "hellocnn_images_dropped_total", {Version("2")}), 5);
  EXPECT_EQ(metrics_.overview().images, 4);
  EXPECT_EQ(metrics_.overview().requests, 4);
}

TEST_F(PrometheusModelsTest, RequestsWithoutAModelHaveEmptyLabels) {
  const std::vector<std::string> none = {R"(model="")", Version("")};
  metrics_.AddModel(Labels("mnist", "1"));
  metrics_.OnRejected(classify_, kNoModel, no_model_);
  metrics_.OnEnd({.method = classify_, .code = absl::StatusCode::kNotFound});
  metrics_.OnEnd({.method = get_model_});
  const std::string page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_requests_refused_total", none), 1);
  EXPECT_EQ(Sum(page, kEnded, none), 2);
  EXPECT_EQ(Sum(page, kEnded), 2);
  // A method that takes no images has no series of a model.
  EXPECT_TRUE(std::isnan(Sum(page, kEnded, {R"(model="mnist")", R"(method="GetModel")"})));
  EXPECT_TRUE(std::isnan(Sum(page, kAccepted, none)));
}

TEST_F(PrometheusModelsTest, EachVersionHasItsOwnGauges) {
  const ModelId one = metrics_.AddModel(Labels("mnist", "1"));
  ModelLabels labels = Labels("mnist", "2");
  labels.test_accuracy.reset();
  labels.card_of_other_weights = true;
  const ModelId two = metrics_.AddModel(labels);
  metrics_.SetGauges({.queued_images = [&](ModelId model) { return model == two ? 7 : 2; }});
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_model_loaded_timestamp_seconds", {Version("1")}), 0);
  metrics_.OnModelLoaded(one, absl::Milliseconds(1500));
  const std::string page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_model_load_duration_seconds", {Version("1")}), 1.5);
  EXPECT_EQ(Sum(page, "hellocnn_model_load_duration_seconds", {Version("2")}), 0);
  EXPECT_GT(Sum(page, "hellocnn_model_loaded_timestamp_seconds", {Version("1")}), 0);
  EXPECT_EQ(Sum(page, "hellocnn_model_test_accuracy_ratio", {Version("1")}), 0.975);
  EXPECT_THAT(page, HasSubstr("hellocnn_model_test_accuracy_ratio{model=\"mnist\",version=\"2\"} "
                              "Nan\n"));
  EXPECT_EQ(Sum(page, "hellocnn_model_card_mismatch", {Version("1")}), 0);
  EXPECT_EQ(Sum(page, "hellocnn_model_card_mismatch", {Version("2")}), 1);
  EXPECT_EQ(Sum(page, "hellocnn_queue_images", {Version("1")}), 2);
  EXPECT_EQ(Sum(page, "hellocnn_queue_images", {Version("2")}), 7);
  EXPECT_EQ(Sum(page, "hellocnn_queue_capacity_images"), 2 * 4096);
  EXPECT_EQ(Sum(page, "hellocnn_model_info", {R"(engine="fake")"}), 2);
  EXPECT_EQ(Sum(page, "hellocnn_engine_info", {R"(engine="fake")"}), 2);
  EXPECT_EQ(metrics_.overview().queued_images, 9);
}

TEST_F(PrometheusModelsTest, WhatAnUnloadedVersionHasCountedStaysInTheTotals) {
  const ModelId one = metrics_.AddModel(Labels("mnist", "1"));
  Count(one);
  metrics_.AddModel(Labels("mnist", "2"));
  metrics_.OnModelUnloaded(one);
  const std::string page = metrics_.Text();
  EXPECT_THAT(page, Not(HasSubstr(Version("1"))));
  const std::string unloaded = Version(UnloadedVersion(page));
  for (const char* name :
       {kAccepted, kEnded, "hellocnn_batch_size_sum", "hellocnn_request_duration_seconds_count",
        "hellocnn_predictions_total"}) {
    EXPECT_EQ(Sum(page, name), 1) << name;
    EXPECT_EQ(Sum(page, name, {R"(model="")", unloaded}), 1) << name;
    EXPECT_EQ(Sum(page, name, {R"(model="mnist")", Version("2")}), 0) << name;
  }
  EXPECT_EQ(Sum(page, "hellocnn_requests_in_flight"), 0);
  EXPECT_EQ(metrics_.overview().images, 1);
}

// A series that grew when a version is unloaded would look like requests to rate(). One that begins
// with its value does not: so the label is another one each time.
TEST_F(PrometheusModelsTest, CountsOfUnloadedVersionsGetANewLabelWithEachVersionThatHasCounted) {
  std::set<std::string> seen;
  for (const char* version : {"1", "2", "3"}) {
    const ModelId model = metrics_.AddModel(Labels("mnist", version));
    Count(model);
    metrics_.OnModelUnloaded(model);
    EXPECT_TRUE(seen.insert(UnloadedVersion(metrics_.Text())).second);
  }
  metrics_.OnModelUnloaded(metrics_.AddModel(Labels("mnist", "4")));
  EXPECT_TRUE(seen.contains(UnloadedVersion(metrics_.Text())));
  EXPECT_EQ(Sum(metrics_.Text(), kAccepted), 3);
}

TEST_F(PrometheusModelsTest, VersionThatComesBackBeginsAtZero) {
  for (int round = 1; round <= 3; ++round) {
    const ModelId model = metrics_.AddModel(Labels("mnist", "1"));
    EXPECT_EQ(Sum(metrics_.Text(), kAccepted, {R"(model="mnist")"}), 0);
    Count(model);
    EXPECT_EQ(Sum(metrics_.Text(), kAccepted, {R"(model="mnist")"}), 1);
    metrics_.OnModelUnloaded(model);
    EXPECT_EQ(Sum(metrics_.Text(), kAccepted), round);
  }
}

// Rollouts for ever: new versions of a model, and models with new names and new classes.
TEST_F(PrometheusModelsTest, SeriesDoNotGrowOverThousandsOfModelsAndTotalsNeverFall) {
  ModelId last = metrics_.AddModel(Labels("mnist", "0"));
  Count(last);
  std::size_t after_first = 0;
  for (int i = 1; i <= 2000; ++i) {
    const std::string number = std::to_string(i);
    ModelLabels labels = Labels("mnist", number);
    if (i > 1000) labels.name += number;
    if (i > 1000) labels.class_labels = {"a" + number, "b" + number};
    const ModelId next = metrics_.AddModel(labels);
    EXPECT_LE(static_cast<int>(next), 2);  // the id of the one before the last
    Count(next);
    metrics_.OnModelUnloaded(last);
    last = next;
    if (i == 1) after_first = SeriesOf(metrics_.Text());
    if (i % 100 != 0) continue;
    const std::string page = metrics_.Text();
    ASSERT_EQ(SeriesOf(page), after_first);
    for (const char* name :
         {kAccepted, kEnded, "hellocnn_predictions_total", "hellocnn_input_mean_ratio_count"}) {
      ASSERT_EQ(Sum(page, name), i + 1) << name;
    }
  }
  EXPECT_EQ(metrics_.overview().batches, 2001);
}

// A model may have 2 to 1,024 classes, and comes while others are served.
TEST_F(PrometheusModelsTest, ModelsMethodsAndReasonsAreAddedWhileThreadsCount) {
  const ModelId first = metrics_.AddModel(Labels("mnist", "7"));
  std::atomic<bool> stop = false;
  int counted = 0;
  std::thread counting([&] {
    while (!stop) {
      Count(first);
      ++counted;
    }
  });
  const ModelId large = metrics_.AddModel(Labels("mnist", "8", 1024));
  const MethodId late = metrics_.AddMethod({.service = "test", .method = "Late"});
  const ReasonId reason = metrics_.AddReason(ReasonOf::kRejection, "late");
  const std::array of_large = {Confidence{1023, 1.0}, Confidence{0, 1.0}};
  metrics_.OnEnd({.method = late, .model = large, .sent_images = 2, .confidences = of_large});
  metrics_.OnRejected(late, large, reason);
  for (int i = 0; i < 20; ++i) {
    const ModelId passing = metrics_.AddModel(Labels("passing", std::to_string(i)));
    Count(passing);
    metrics_.OnModelUnloaded(passing);
  }
  stop = true;
  counting.join();
  const std::string page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_predictions_total", {R"(class="1023")", Version("8")}), 1);
  EXPECT_EQ(Sum(page, kEnded, {R"(method="Late")", Version("8")}), 1);
  EXPECT_EQ(Sum(page, "hellocnn_requests_refused_total", {R"(reason="late")"}), 1);
  EXPECT_EQ(Sum(page, kAccepted, {Version("7")}), counted);
  EXPECT_EQ(Sum(page, kAccepted), counted + 20);
}

TEST_F(PrometheusModelsTest, VersionsAreCountedByState) {
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_model_versions", {R"(state="serving")"}), 0);
  metrics_.OnVersions(3, 1);
  EXPECT_EQ(metrics_.overview().queue_capacity, 3 * 4096);
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_model_versions", {R"(state="serving")"}), 3);
  EXPECT_EQ(Sum(metrics_.Text(), "hellocnn_model_versions", {R"(state="failed")"}), 1);
}

TEST_F(PrometheusModelsTest, LabelsAreEscaped) {
  ModelLabels labels = Labels("a \"quoted\" name", "1");
  labels.class_labels = {"a \"quoted\" label"};
  metrics_.AddModel(labels);
  const std::string page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_predictions_total",
                {R"(class="a \"quoted\" label")", R"(model="a \"quoted\" name")"}),
            0);
}

TEST_F(PrometheusModelsTest, OnlyACandidateHasSeriesOfComparisons) {
  const ReasonId busy = metrics_.AddReason(ReasonOf::kSkip, "busy");
  const ModelId current = metrics_.AddModel(Labels("mnist", "1"));
  const ModelId candidate = metrics_.AddModel(Labels("mnist", "2"));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("hellocnn_compared_images_total")));
  metrics_.OnCandidate(candidate, "shadow", 0.25);
  const std::vector<std::string> two = {R"(model="mnist")", Version("2")};
  std::string page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_candidate_share_ratio", {R"(mode="shadow")", Version("2")}), 0.25);
  EXPECT_EQ(Sum(page, "hellocnn_compared_images_total", two), 0);
  EXPECT_TRUE(std::isnan(Sum(page, "hellocnn_compared_images_total", {Version("1")})));

  const std::array images = {Difference{.class_index = 1, .same_class = true, .distance = 0.03},
                             Difference{.class_index = 0, .same_class = false, .distance = 7}};
  metrics_.OnCompared({.candidate = candidate, .images = images});
  metrics_.OnCandidate(candidate, "canary", 1);
  metrics_.OnCompared({.candidate = candidate, .images = images});
  metrics_.OnBatch({.model = current,
                    .images = 2,
                    .release = idle_,
                    .compute = absl::Milliseconds(1),
                    .spare = true});
  metrics_.OnNotCompared(candidate, busy);
  page = metrics_.Text();
  EXPECT_EQ(Sum(page, "hellocnn_candidate_share_ratio", {R"(mode="canary")", Version("2")}), 1);
  EXPECT_TRUE(std::isnan(Sum(page, "hellocnn_candidate_share_ratio", {R"(mode="shadow")"})));
  EXPECT_EQ(Sum(page, "hellocnn_compared_images_total",
                {R"(candidate_says="same")", R"(class="1")", Version("2")}),
            2);
  EXPECT_EQ(Sum(page, "hellocnn_compared_images_total",
                {R"(candidate_says="other")", R"(class="0")", Version("2")}),
            2);
  EXPECT_EQ(Sum(page, "hellocnn_compared_images_total"), 4);
  EXPECT_EQ(Sum(page, "hellocnn_comparison_log_probability_distance_count", two), 4);
  EXPECT_NEAR(Sum(page, "hellocnn_comparison_log_probability_distance_sum", two), 14.06, 1e-9);
  EXPECT_EQ(Sum(page, "hellocnn_comparisons_skipped_total", {R"(reason="busy")", Version("2")}), 1);
  EXPECT_EQ(Sum(page, "hellocnn_batch_size_sum", {Version("1")}), 2);
  EXPECT_EQ(Sum(page, "hellocnn_images_computed_total"), 0);

  metrics_.OnCandidate(candidate, "", 0);
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("hellocnn_candidate_share_ratio{")));
  metrics_.OnCandidate(candidate, "shadow", 1);
  metrics_.OnModelUnloaded(candidate);
  page = metrics_.Text();
  EXPECT_THAT(page, Not(HasSubstr("hellocnn_candidate_share_ratio{")));
  EXPECT_EQ(Sum(page, "hellocnn_compared_images_total"), 4);
  EXPECT_TRUE(std::isnan(Sum(page, "hellocnn_compared_images_total", two)));
}

}  // namespace
}  // namespace hellocnn::server
