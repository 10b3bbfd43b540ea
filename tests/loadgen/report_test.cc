#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/report/data_report.h"
#include "loadgen/report/text_report.h"

namespace hellocnn::load {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

// Returns a run with 1,000 requests of 1 to 1,000 us and 5 rejections.
Run Sample(bool open_loop) {
  Run run;
  run.concurrency = open_loop ? 0 : 4;
  run.rate = open_loop ? 100 : 0;
  run.outcome.open_loop = open_loop;
  Verdict verdict;
  verdict.images = 2;
  verdict.wrong = 1;
  verdict.batch_size = 3;
  for (int i = 1; i <= 1000; ++i) {
    run.outcome.total.Record({Nanos(0), Nanos(0), microseconds(i), false}, verdict);
  }
  verdict.code = grpc::RESOURCE_EXHAUSTED;
  verdict.message = "the queue is full";
  for (int i = 0; i < 5; ++i) {
    run.outcome.total.Record({Nanos(0), milliseconds(2), milliseconds(2), false}, verdict);
  }
  run.outcome.seconds = 10;
  run.outcome.answered_in_time = 1000;
  run.outcome.images_in_time = 2000;
  run.outcome.cost = {1, 10, 2, 0.08};
  run.outcome.windows.push_back({0, 1, 100, 1, 200, 500'000, 990'000, 1'000'000, 4});
  return run;
}

Report Of(std::vector<Run> runs) {
  Setup setup;
  setup.target = "host:1";
  setup.model = "fake/7";
  setup.arrivals = runs.front().outcome.open_loop ? "constant" : "closed";
  setup.mode = "unary";
  setup.pixel_format = "gray8";
  setup.data = "digits";
  return {setup, std::move(runs), std::nullopt};
}

TEST(Report, TextSaysWhatMatters) {
  const std::string text = ToText(Of({Sample(false)}));
  EXPECT_THAT(text,
              HasSubstr("fake/7 at host:1; unary calls on 1 connection, 1 gray8 image a request"));
  EXPECT_THAT(text, HasSubstr("requests   1,000 answered, 5 failed (0.50%)"));
  EXPECT_THAT(text, HasSubstr("100.0 requests/s, 200.0 images/s"));
  EXPECT_THAT(text, HasSubstr("wrong      1,000 of 2,000 images (50.00%)"));
  EXPECT_THAT(text, HasSubstr("RESOURCE_EXHAUSTED            5\n    the queue is full\n"));
  EXPECT_THAT(text, Not(HasSubstr("send lag")));  // a closed loop has none
}

TEST(Report, OpenLoopShowsLagAndBlamesTheGenerator) {
  load::Run run = Sample(true);
  EXPECT_THAT(ToText(Of({run})), HasSubstr("send lag"));
  EXPECT_THAT(ToText(Of({run})), Not(HasSubstr("THE GENERATOR")));
  run.outcome.total.late = 100;
  EXPECT_THAT(ToText(Of({run})), HasSubstr("THE GENERATOR, NOT THE SERVER"));
}

TEST(Report, PercentilesThatTooFewAnswersKnowAreLeftOut) {
  const Json run = Json::parse(ToJson(Of({Sample(false)})))["runs"][0];
  EXPECT_NEAR(run["latency_seconds"]["p50"], 500e-6, 1e-6);
  EXPECT_NEAR(run["latency_seconds"]["p99"], 990e-6, 1e-6);
  EXPECT_NEAR(run["latency_seconds"]["p99_9"], 999e-6, 1e-6);
  EXPECT_TRUE(run["latency_seconds"]["p99_99"].is_null());
  EXPECT_NEAR(run["latency_seconds"]["max"], 1e-3, 1e-9);
}

TEST(Report, JsonHasTheWholeStory) {
  const Json document = Json::parse(ToJson(Of({Sample(true)})));
  const Json& run = document["runs"][0];
  EXPECT_EQ(run["requests"], 1005);
  EXPECT_EQ(run["answered"], 1000);
  EXPECT_EQ(run["wrong"], 1000);
  EXPECT_EQ(run["errors"][0]["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(run["errors"][0]["messages"][0], "the queue is full");
  EXPECT_EQ(run["server"]["mean_batch_size"], 3);
  EXPECT_EQ(run["windows"].size(), 1U);
  std::int64_t counted = 0;
  for (const Json& slot : run["latency_histogram"]) counted += slot[1].get<std::int64_t>();
  EXPECT_EQ(counted, 1000);
  EXPECT_EQ(document["load"]["arrivals"], "constant");
  EXPECT_FALSE(document.contains("search"));
}

TEST(Report, CsvHasALineForEachRun) {
  const std::string csv = ToCsv(Of({Sample(false), Sample(false)}));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  // Each line has the same number of cells.
  EXPECT_EQ(std::count(csv.begin(), csv.end(), ',') % 3, 0);
}

TEST(Report, HgrmEndsAtTheMaximumWithAllCounted) {
  const std::string text = ToHgrm(Sample(false).outcome.total.latency);
  EXPECT_THAT(text, HasSubstr("    1.000000 1.000000000000       1000\n"));
  EXPECT_THAT(text, HasSubstr("Total count    =         1000"));
}

TEST(Report, SearchNamesTheRate) {
  Report report = Of({Sample(true), Sample(true)});
  report.runs[1].verdict = "p99 is 9 ms";
  report.search = Search{"p99=5ms", 100};
  const std::string text = ToText(report);
  EXPECT_THAT(text, HasSubstr(" kept\n"));
  EXPECT_THAT(text, HasSubstr("NOT KEPT: p99 is 9 ms"));
  EXPECT_THAT(text, EndsWith("100 requests/s is the highest rate tried that keeps p99=5ms\n"));
  EXPECT_EQ(Json::parse(ToJson(report))["search"]["highest_rate"], 100);
}

}  // namespace
}  // namespace hellocnn::load
