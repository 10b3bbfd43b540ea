#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/version.h"
#include "loadgen/report/data_report.h"
#include "loadgen/report/html_report.h"
#include "loadgen/report/text.h"
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
  EXPECT_THAT(text, HasSubstr("fake/7 at host:1\n"));
  EXPECT_THAT(text, HasSubstr("unary calls on 1 connection, 1 gray8 image a request"));
  EXPECT_THAT(text, HasSubstr("requests   1,000 succeeded, 5 failed (0.50%)"));
  EXPECT_THAT(text, HasSubstr("100 requests/s, 200 images/s"));
  EXPECT_THAT(text, HasSubstr("wrong      1,000 of 2,000 images (50.00%)"));
  EXPECT_THAT(text, HasSubstr("RESOURCE_EXHAUSTED               5\n    the queue is full\n"));
  EXPECT_THAT(text, Not(HasSubstr("send lag")));  // a closed loop has none
}

TEST(Report, LowPriorityIsSaid) {
  Report report = Of({Sample(false)});
  report.setup.priority = "low";
  EXPECT_THAT(ToText(report), HasSubstr("unary calls on 1 connection with low priority, 1 gray8"));
  EXPECT_EQ(Json::parse(ToJson(report))["load"]["low_priority"], true);
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
  const std::string text = ToHgrm(Sample(false).outcome);
  EXPECT_THAT(text, HasSubstr("    1.000000 1.000000000000       1000\n"));
  EXPECT_THAT(text, HasSubstr("Total count    =         1000"));
}

// Returns the longest line of `text`.
std::string Longest(const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  return *std::max_element(lines.begin(), lines.end(),
                           [](const auto& a, const auto& b) { return a.size() < b.size(); });
}

// A run with the widest figures that there can be.
Run Wide() {
  Run run = Sample(true);
  run.rate = 999'999.25;
  Tally& total = run.outcome.total;
  Verdict verdict;
  verdict.batch_size = 1024;
  verdict.queue = verdict.compute = std::chrono::hours(20);
  for (int i = 0; i < 200'000; ++i) {
    total.Record({Nanos(0), std::chrono::hours(23), std::chrono::hours(47), true}, verdict);
  }
  verdict.code = grpc::RESOURCE_EXHAUSTED;
  verdict.message = std::string(40, 'm') + " \x1b[2J" + std::string(60, 'n');
  total.Record({Nanos(0), milliseconds(2), milliseconds(2), false}, verdict);
  total.by_code[grpc::UNAVAILABLE] = 123'456'789'012;
  total.late = total.held = 123'456'789'012;
  run.outcome.unsent = 999'999'999'999;
  run.outcome.answered_in_time = 123'456'789;
  run.outcome.images_in_time = 123'456'789'012;
  run.outcome.steadiness = {true, 12.3456, 98.7654};
  run.outcome.cost = {120, 10, 12.5, 0.99};
  run.server.emplace();
  run.server->images_answered = run.server->images_dropped = run.server->requests_refused = 1e12;
  run.server->batches = 1e11;
  run.server->mean_batch_size = 1023.9;
  run.server->mean_request_seconds = run.server->mean_queue_seconds = 3599.25;
  run.server->mean_compute_seconds = 0.123456;
  return run;
}

TEST(Report, TextFitsEightyColumns) {
  const load::Run wide = Wide();
  load::Run interrupted = wide;
  interrupted.outcome.interrupted = true;
  interrupted.outcome.cancelled = 65'536;
  load::Run restarted = wide;
  restarted.server = ServerView();
  restarted.server->restarted = true;
  restarted.server->problem = "the server was restarted during the run: its counters are smaller";
  for (const load::Run& run : {Sample(false), Sample(true), wide, interrupted, restarted}) {
    Report report = Of({run});
    report.setup.most_in_flight = 65'536;
    report.setup.connections = 4096;
    report.setup.images_per_request = 65'536;
    EXPECT_LE(Longest(ToText(report)).size(), 80U) << Longest(ToText(report));
    report.runs[0].verdict = "only 12,345 requests/s";
    report.search = Search{"p99.999=1234.5ms", 999'999.25, false};
    EXPECT_LE(Longest(ToText(report)).size(), 80U) << Longest(ToText(report));
  }
  EXPECT_THAT(ToText(Of({wide})), Not(HasSubstr("\x1b")));
}

TEST(Report, RatesAreWrittenAsTheyWereAskedFor) {
  for (const auto& [rate, text] :
       {std::pair(0.1, "0.1"), {1234.5, "1,234.5"}, {1e6, "1,000,000"}}) {
    load::Run run = Sample(true);
    run.rate = rate;
    EXPECT_THAT(ToText(Of({run})), HasSubstr(absl::StrCat("loop, ", text, " requests/s, ")));
    Report table = Of({run});
    table.planned_runs = 2;
    EXPECT_THAT(ToText(table), HasSubstr(absl::StrCat(" ", text, " ")));
    EXPECT_THAT(ToCsv(table), HasSubstr(absl::StrFormat("constant,0,%.9g,", rate)));
  }
}

TEST(Report, EveryFormatSaysThatItWasInterrupted) {
  load::Run run = Sample(true);
  run.outcome.interrupted = true;
  run.outcome.cancelled = 3;
  Report report = Of({run});
  EXPECT_THAT(ToText(report), HasSubstr("INTERRUPTED after 10.00 s"));
  EXPECT_THAT(ToText(report), HasSubstr("requests still in flight, which no figure counts"));
  EXPECT_THAT(ToHtml(report), HasSubstr("Interrupted."));
  EXPECT_THAT(ToHgrm(run.outcome), HasSubstr("#[Interrupted"));
  EXPECT_THAT(ToCsv(report), HasSubstr(",3,true,\n"));
  EXPECT_EQ(Json::parse(ToJson(report))["interrupted"], true);
  EXPECT_EQ(Json::parse(ToJson(report))["runs"][0]["interrupted"], true);
  EXPECT_EQ(Json::parse(ToJson(report))["runs"][0]["cancelled"], 3);
  report.planned_runs = 5;
  EXPECT_THAT(ToText(report), HasSubstr("INTERRUPTED: lines are missing: 4"));
  EXPECT_EQ(Json::parse(ToJson(report))["planned_runs"], 5);
}

TEST(Report, AnInterruptedSearchHasNoHighestRate) {
  Report report = Of({Sample(true), Sample(true)});
  report.runs[1].outcome.interrupted = true;
  report.search = Search{"p99=5ms", 100, false};
  const std::string text = ToText(report);
  EXPECT_THAT(text, HasSubstr("INTERRUPTED: the search is not complete"));
  EXPECT_THAT(text, Not(HasSubstr("highest")));
  EXPECT_THAT(text, HasSubstr("100 requests/s kept p99=5ms; higher rates were still to be tried"));
  const Json json = Json::parse(ToJson(report));
  EXPECT_TRUE(json["search"]["highest_rate"].is_null());
  EXPECT_EQ(json["search"]["highest_rate_so_far"], 100);
  EXPECT_EQ(json["search"]["complete"], false);
  EXPECT_EQ(json["runs"][0]["keeps_slo"], true);
  EXPECT_TRUE(json["runs"][1]["keeps_slo"].is_null());
}

TEST(Report, UnsentRequestsAreInEveryFormat) {
  load::Run run = Sample(true);
  run.outcome.unsent = 1234;
  EXPECT_THAT(ToText(Of({run})), HasSubstr("unsent     1,234 due before the end and never sent"));
  EXPECT_EQ(Json::parse(ToJson(Of({run})))["runs"][0]["unsent"], 1234);
  EXPECT_THAT(ToCsv(Of({run})), HasSubstr(",1234,0,false,\n"));
}

TEST(Report, ARestartedServerIsNamedAndNothingIsComparedWithIt) {
  load::Run run = Sample(false);
  run.server.emplace().problem = "the server was restarted during the run: its count fell";
  run.server->restarted = true;
  EXPECT_THAT(ToText(Of({run})), HasSubstr("THE SERVER WAS RESTARTED"));
  EXPECT_THAT(ToText(Of({run})), Not(HasSubstr("computed, where the client counts")));
  EXPECT_THAT(ToHtml(Of({run})), HasSubstr("The server was restarted."));
  EXPECT_THAT(ToCsv(Of({run})), HasSubstr(",true\n"));
  const Json json = Json::parse(ToJson(Of({run})))["runs"][0]["server_metrics"];
  EXPECT_EQ(json["restarted"], true);
  EXPECT_TRUE(json["images_answered"].is_null());
}

TEST(Report, JsonNamesItsFormatAndTheProgram) {
  const Json document = Json::parse(ToJson(Of({Sample(false)})));
  EXPECT_EQ(document["format"], kFormat);
  EXPECT_EQ(document["version"], kVersion);
}

// A run that ended before its first response.
TEST(Report, NothingMeasuredIsNoNumber) {
  for (const bool open_loop : {false, true}) {
    load::Run run;
    run.outcome.open_loop = open_loop;
    run.outcome.interrupted = true;
    Report report = Of({run});
    for (const int planned : {1, 3}) {
      report.planned_runs = planned;
      for (const std::string& text : {ToText(report), ToCsv(report), ToJson(report)}) {
        EXPECT_THAT(text, Not(HasSubstr("nan")));
        EXPECT_THAT(text, Not(HasSubstr("inf")));
      }
    }
    EXPECT_THAT(ToHtml(report), HasSubstr("Interrupted."));
  }
}

TEST(Text, NumbersAreWrittenOneWay) {
  EXPECT_EQ(Number(0), "0");
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(289.213), "289.2");
  EXPECT_EQ(Number(999.96), "1,000");
  EXPECT_EQ(Number(-61706.4), "-61,706");
  EXPECT_EQ(Exact(0.00001), "0.00001");
  EXPECT_EQ(Exact(1000.25), "1,000.25");
  EXPECT_EQ(ShortTime(86400), "86,400 s");
  EXPECT_EQ(ShortTime(999.99), "999.99 s");
  EXPECT_EQ(Percent(12.3456), "1,234.56%");
}

TEST(Text, LinesBreakAtTheirSpaces) {
  const std::string words = "a few words " + std::string(70, 'x') + " and more";
  EXPECT_EQ(Wrapped("label", words), "label      a few words\n           " + std::string(70, 'x') +
                                         "\n           and more\n");
  EXPECT_EQ(Wrapped("", "", 0), "\n");
}

TEST(Report, SearchNamesTheRate) {
  Report report = Of({Sample(true), Sample(true)});
  report.runs[1].verdict = "p99 is 9 ms";
  report.search = Search{"p99=5ms", 100, true};
  const std::string text = ToText(report);
  EXPECT_THAT(text, HasSubstr(" kept\n"));
  EXPECT_THAT(text, HasSubstr("NOT KEPT: p99 is 9 ms"));
  EXPECT_THAT(text, EndsWith("100 requests/s is the highest rate tried that keeps p99=5ms\n"));
  EXPECT_EQ(Json::parse(ToJson(report))["search"]["highest_rate"], 100);
}

}  // namespace
}  // namespace hellocnn::load
