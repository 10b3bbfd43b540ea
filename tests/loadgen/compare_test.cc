#include "loadgen/report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "loadgen/report/data_report.h"

namespace hellocnn::load {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

class CompareTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("hellocnn-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  // Writes a run with 10,000 latencies of `scale` to 10,000 times `scale` microseconds, and ten
  // windows of 1 s.
  std::string WriteRun(const std::string& name, double scale, int answered_in_window) {
    return Write(name, ToJson(ReportOf(scale, answered_in_window)));
  }
  static Report ReportOf(double scale, int answered_in_window) {
    load::Run run;
    for (int i = 1; i <= 10'000; ++i) {
      run.outcome.total.Record(
          {Nanos(0), Nanos(0), microseconds(static_cast<int>(i * scale)), false}, Verdict());
    }
    run.outcome.seconds = 10;
    run.outcome.answered_in_time = 10 * answered_in_window;
    for (int i = 0; i < 10; ++i) {
      Window window{};
      window.start_seconds = i;
      window.length_seconds = 1;
      window.answered = answered_in_window + (i % 2 == 0 ? 5 : -5);
      run.outcome.windows.push_back(window);
    }
    return Report{load::Setup(), {run}, std::nullopt};
  }

  std::filesystem::path folder_;
};

const Change& Of(const std::vector<Change>& changes, const std::string& metric) {
  for (const Change& change : changes) {
    if (change.metric == metric) return change;
  }
  static const Change kNone{};
  ADD_FAILURE() << "no " << metric;
  return kNone;
}

TEST_F(CompareTest, SameIsNoSureChange) {
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1, 1000)).value().changes;
  ASSERT_THAT(changes, SizeIs(7));
  for (const Change& change : changes) {
    EXPECT_FALSE(change.Sure()) << change.metric;
    EXPECT_NEAR(change.Relative(), 0, 1e-9);
  }
}

TEST_F(CompareTest, SlowerIsFoundWithItsSize) {
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1.25, 800)).value().changes;
  const Change& p99 = Of(changes, "p99");
  EXPECT_TRUE(p99.Sure());
  EXPECT_NEAR(p99.Relative(), 0.25, 0.002);
  EXPECT_NEAR(Of(changes, "rate").Relative(), -0.2, 1e-9);
  EXPECT_TRUE(Condition::Parse("p99>+10%")->Holds(p99));
  EXPECT_FALSE(Condition::Parse("p99>+30%")->Holds(p99));
  EXPECT_FALSE(Condition::Parse("p99<-10%")->Holds(p99));
  EXPECT_FALSE(Condition::Parse("p50>+10%")->Holds(p99));
  EXPECT_TRUE(Condition::Parse("rate<-5%")->Holds(Of(changes, "rate")));
}

// A short run has no windows that could show how its rate varies.
TEST_F(CompareTest, TheRateOfAShortRunIsNotCertain) {
  Report report = ReportOf(1, 1000);
  report.runs[0].outcome.windows.clear();
  const std::string path = Write("a", ToJson(report));
  const auto changes = Compare(path, path).value().changes;
  const Estimate& rate = Of(changes, "rate").before;
  EXPECT_NEAR(rate.low, 1000 - 19.6, 0.1);
  EXPECT_NEAR(rate.high, 1000 + 19.6, 0.1);
}

// The rank is 9,900 of 10,000, plus or minus 1.96 sqrt(10,000 x 0.99 x 0.01) = 19.5.
TEST_F(CompareTest, QuantilesLieBetweenTheRanksOfTheBinomial) {
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1, 1000)).value().changes;
  const Estimate& p99 = Of(changes, "p99").before;
  EXPECT_NEAR(p99.value, 9900e-6, 10e-6);
  EXPECT_NEAR(p99.low, 9880e-6, 10e-6);
  EXPECT_NEAR(p99.high, 9921e-6, 10e-6);
}

TEST_F(CompareTest, ChangesWithinTheNoiseDoNotFail) {
  const Change noisy{"p99", true, {1, 0.5, 1.5}, {1.3, 0.9, 1.7}};
  EXPECT_FALSE(Condition::Parse("p99>+10%")->Holds(noisy));
  EXPECT_THAT(
      ToText({noisy}),
      HasSubstr("+30.00% ~\n~ the two intervals overlap: the change is within the noise\n"));
}

TEST_F(CompareTest, BadConditionsAreRejected) {
  for (const char* bad : {"", "p99", "p99>10", "p99>%", "p98>+1%", "p99>x%", ">+1%", "p99>nan%"}) {
    EXPECT_THAT(Condition::Parse(bad).status().message(), HasSubstr("wanted is a change")) << bad;
  }
}

TEST_F(CompareTest, BadFilesAreNamed) {
  const std::string good = WriteRun("good", 1, 1000);
  EXPECT_EQ(Compare(good, folder_ / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Compare(Write("text", "hello"), good).status().message(),
              HasSubstr("text: this is not JSON"));
  const auto why = [&](const std::string& text) {
    return std::string(Compare(good, Write("bad", text)).status().message());
  };
  EXPECT_THAT(why("[1]"), HasSubstr("bad: this is no report of a load; wanted is what"));
  EXPECT_THAT(why("{\"slo\": 1}"), HasSubstr("this is no report of a load"));
  EXPECT_THAT(why("{\"runs\": 7, \"format\": 1}"), HasSubstr("this is no report of a load"));
  EXPECT_THAT(why("{\"runs\": [{}]}"), HasSubstr("there is no format number in it"));
  EXPECT_THAT(why("{\"format\": 99, \"runs\": [{}]}"),
              HasSubstr("its format is 99, and this program reads format 1"));
  EXPECT_THAT(why("{\"format\": \"x\", \"runs\": [{}]}"), HasSubstr("its format is"));
  EXPECT_THAT(why("{\"format\": 1, \"runs\": [1, 2]}"), HasSubstr("there are 2 runs in it"));
  EXPECT_THAT(why("{\"format\": 1, \"runs\": [{}]}"), HasSubstr("it is damaged"));
}

TEST_F(CompareTest, DamagedReportsAreRejected) {
  const std::string good = WriteRun("good", 1, 1000);
  const Json document = Json::parse(ToJson(ReportOf(1, 1000)));
  const auto expect_damaged = [&](const char* path, const Json& value) {
    Json changed = document;
    changed[Json::json_pointer(path)] = value;
    EXPECT_THAT(Compare(Write("bad", changed.dump()), good).status().message(),
                HasSubstr("bad: it is damaged"))
        << path;
  };
  expect_damaged("/runs/0/latency_seconds/count", -1);
  expect_damaged("/runs/0/latency_seconds/count", 1e300);
  expect_damaged("/runs/0/latency_seconds/count", 12);  // the histogram has 10,000
  expect_damaged("/runs/0/latency_seconds/mean", nullptr);
  expect_damaged("/runs/0/latency_histogram/1/0", 0);
  expect_damaged("/runs/0/latency_histogram/1/1", -5);
  expect_damaged("/runs/0/latency_histogram", Json::array());
  expect_damaged("/runs/0/windows", "none");
  expect_damaged("/runs/0", 7);
}

TEST_F(CompareTest, NothingToCompareIsAnError) {
  Report empty = ReportOf(1, 1000);
  empty.runs[0].outcome.total = Tally();
  EXPECT_THAT(Compare(WriteRun("good", 1, 1000), Write("empty", ToJson(empty))).status().message(),
              HasSubstr("empty: no request succeeded"));
}

TEST_F(CompareTest, OtherLoadsAreDifferences) {
  const Report base = ReportOf(1, 1000);
  const auto differences = [&](auto change) {
    Report other = base;
    change(other);
    return Compare(Write("a", ToJson(base)), Write("b", ToJson(other))).value().differences;
  };
  EXPECT_THAT(differences([](Report&) {}), SizeIs(0));
  EXPECT_THAT(differences([](Report& report) {
                report.setup.arrivals = "constant";
                report.runs[0].outcome.open_loop = true;
                report.runs[0].rate = 0.5;
              }),
              ElementsAre("arrivals: closed before, constant after",
                          "requests in flight: 0 before, none after",
                          "wanted requests/s: none before, 0.5 after"));
  EXPECT_THAT(differences([](Report& report) { report.setup.images_per_request = 4; }),
              ElementsAre("images a request: 1 before, 4 after"));
  EXPECT_THAT(differences([](Report& report) { report.setup.mode = "stream"; }),
              ElementsAre("mode: unary before, stream after"));
  EXPECT_THAT(differences([](Report& report) { report.setup.priority = "low"; }),
              ElementsAre("low priority: false before, true after"));
  EXPECT_THAT(differences([](Report& report) { report.setup.pixel_format = "float32"; }),
              SizeIs(1));
  EXPECT_THAT(differences([](Report& report) { report.runs[0].concurrency = 8; }), SizeIs(1));
  EXPECT_THAT(differences([](Report& report) { report.runs[0].outcome.interrupted = true; }),
              ElementsAre("the measurement after was interrupted"));
}

TEST_F(CompareTest, OtherSettingsAndDoubtsAreNotes) {
  const Report base = ReportOf(1, 1000);
  Report other = base;
  other.setup.duration = absl::Seconds(30);
  other.setup.connections = 4;
  other.setup.tls = true;
  other.setup.model = "mnist/2";
  other.runs[0].outcome.total.by_code[grpc::UNAVAILABLE] = 1234;
  other.runs[0].outcome.unsent = 5;
  other.runs[0].outcome.cost = {1, 1, 1, 1};
  other.runs[0].server.emplace().restarted = true;
  const Comparison comparison =
      Compare(Write("a", ToJson(base)), Write("b", ToJson(other))).value();
  EXPECT_THAT(comparison.differences, SizeIs(0));
  EXPECT_THAT(comparison.notes,
              UnorderedElementsAre(
                  "model:  before, mnist/2 after", "connections: 1 before, 4 after",
                  "TLS: false before, true after", "seconds of measurement: none before, 30 after",
                  "the generator may have limited the measurement after",
                  "the server was restarted during the measurement after",
                  HasSubstr("1,234 requests of the measurement after failed"),
                  HasSubstr("5 requests of the measurement after were unsent")));
}

TEST_F(CompareTest, SettingsThatOlderReportsDoNotHaveWereOff) {
  Report report = ReportOf(1, 1000);
  const std::string now = Write("now", ToJson(report));
  const std::string old =
      Write("old", absl::StrReplaceAll(ToJson(report), {{"\"round_robin\": false,", ""},
                                                        {"\"invert\": false,", ""},
                                                        {"\"transpose\": false,", ""}}));
  EXPECT_THAT(Compare(old, now).value().notes, IsEmpty());
  report.setup.round_robin = true;
  EXPECT_THAT(Compare(old, Write("spread", ToJson(report))).value().notes,
              ElementsAre("round robin: none before, true after"));
}

TEST_F(CompareTest, TextFitsEightyColumns) {
  const Estimate times[] = {{3599, 3555, 3601}, {0.12345, 0.12222, 0.13333}, {12e-6, 11e-6, 13e-6}};
  std::vector<Change> changes = {{"rate", false, {999'999, 999'990, 999'999.9}, {1, 0.999, 1.234}}};
  for (const Estimate& before : times) {
    for (const Estimate& after : times) changes.push_back({"p99.9", true, before, after});
  }
  changes.push_back({"p99", true, {1, 1, 1}, {127, 127, 127}});  // +12,600%
  const std::string text = ToText(changes);
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

}  // namespace
}  // namespace hellocnn::load
