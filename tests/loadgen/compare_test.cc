#include "loadgen/report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "loadgen/report/data_report.h"

namespace hellocnn::load {
namespace {

using std::chrono::microseconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

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
    return Write(name, ToJson(Report{load::Setup(), {run}, std::nullopt}));
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
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1, 1000)).value();
  ASSERT_THAT(changes, SizeIs(7));
  for (const Change& change : changes) {
    EXPECT_FALSE(change.Sure()) << change.metric;
    EXPECT_NEAR(change.Relative(), 0, 1e-9);
  }
}

TEST_F(CompareTest, SlowerIsFoundWithItsSize) {
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1.25, 800)).value();
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

// The rank is 9,900 of 10,000, plus or minus 1.96 sqrt(10,000 x 0.99 x 0.01) = 19.5.
TEST_F(CompareTest, QuantilesLieBetweenTheRanksOfTheBinomial) {
  const auto changes = Compare(WriteRun("a", 1, 1000), WriteRun("b", 1, 1000)).value();
  const Estimate& p99 = Of(changes, "p99").before;
  EXPECT_NEAR(p99.value, 9900e-6, 10e-6);
  EXPECT_NEAR(p99.low, 9880e-6, 10e-6);
  EXPECT_NEAR(p99.high, 9921e-6, 10e-6);
}

TEST_F(CompareTest, ChangesWithinTheNoiseDoNotFail) {
  const Change noisy{"p99", true, {1, 0.5, 1.5}, {1.3, 0.9, 1.7}};
  EXPECT_FALSE(Condition::Parse("p99>+10%")->Holds(noisy));
  EXPECT_THAT(ToText({noisy}), HasSubstr("+30.0%  within the noise"));
}

TEST_F(CompareTest, BadConditionsAreRefused) {
  for (const char* bad : {"", "p99", "p99>10", "p99>%", "p98>+1%", "p99>x%", ">+1%", "p99>nan%"}) {
    EXPECT_THAT(Condition::Parse(bad).status().message(), HasSubstr("wanted is a change")) << bad;
  }
}

TEST_F(CompareTest, BadFilesAreNamed) {
  const std::string good = WriteRun("good", 1, 1000);
  EXPECT_EQ(Compare(good, folder_ / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Compare(Write("text", "hello"), good).status().message(),
              HasSubstr("text: this is not JSON"));
  EXPECT_THAT(Compare(good, Write("other", "{\"runs\": [{}]}")).status().message(),
              HasSubstr("other: "));
  EXPECT_THAT(Compare(good, Write("list", "[1]")).status().message(), HasSubstr("list: "));
  EXPECT_THAT(Compare(good, Write("sweep", "{\"runs\": [1, 2]}")).status().message(),
              HasSubstr("there are 2 runs in it"));
}

}  // namespace
}  // namespace hellocnn::load
