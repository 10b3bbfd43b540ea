#include "loadgen/core/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_format.h"

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Searches for the highest rate of a server that keeps its limit up to the rate `limit`. Sets
// `tries` to the number of tries.
std::optional<double> Find(double first, double limit, int& tries) {
  RateSearch search(first, 1e6);
  for (tries = 0; tries < 100; ++tries) {
    const auto rate = search.Next();
    if (!rate.has_value()) break;
    search.Tell(*rate <= limit);
  }
  return search.best();
}

TEST(RateSearch, ComesWithinFivePercentFromEitherSide) {
  for (const double limit : {12.0, 99.0, 100.0, 101.0, 4321.0, 87'000.0}) {
    int tries = 0;
    const auto best = Find(100, limit, tries);
    ASSERT_TRUE(best.has_value()) << limit;
    EXPECT_LE(*best, limit);
    EXPECT_GE(*best * 1.05, limit);
    EXPECT_LE(tries, 20);
  }
}

TEST(RateSearch, KnowsHowManyTriesAreLeftAtMost) {
  for (const double first : {1.0, 7.0, 100.0, 65432.1, 1e6}) {
    for (double limit = 0.3; limit < 3e6; limit *= 1.07) {
      RateSearch search(first, 1e6);
      int most = search.MostLeft();
      EXPECT_LE(most, 40);
      while (const auto rate = search.Next()) {
        ASSERT_GT(search.MostLeft(), 0) << first << " " << limit;
        ASSERT_LE(search.MostLeft(), most) << first << " " << limit;
        most = search.MostLeft() - 1;
        search.Tell(*rate <= limit);
      }
      EXPECT_EQ(search.MostLeft(), 0);
    }
  }
}

// A report can then name the rate that was tried, and not one near it.
TEST(RateSearch, TriesRatesOfThreeDigits) {
  for (const double first : {1.0, 100.0, 333.0, 4000.0}) {
    RateSearch search(first, 1e6);
    while (const auto rate = search.Next()) {
      EXPECT_EQ(std::stod(absl::StrFormat("%.3g", *rate)), *rate);
      search.Tell(*rate <= 5 * first);
    }
  }
}

TEST(RateSearch, EndsWhereNothingOrEverythingPasses) {
  int tries = 0;
  EXPECT_EQ(Find(100, 0.5, tries), std::nullopt);
  EXPECT_LE(tries, 10);
  EXPECT_EQ(Find(100, 1e9, tries), 1e6);
  EXPECT_LE(tries, 20);
}

TEST(Slo, IsAPercentileMeanOrMaxAndADuration) {
  const Slo slo = Slo::Parse("p99.9=20ms").value();
  EXPECT_DOUBLE_EQ(slo.quantile, 0.999);
  EXPECT_EQ(slo.limit, milliseconds(20));
  EXPECT_TRUE(Slo::Parse("mean=1ms").ok());
  EXPECT_TRUE(Slo::Parse("max=1s").ok());
  for (const char* bad : {"", "p99", "p100=1s", "p0=1s", "p=1s", "best=1s", "p99=5", "p99=-1s",
                          "p99=2h", "pnan=1s", "=1s"}) {
    EXPECT_THAT(Slo::Parse(bad).status().message(), HasSubstr("wanted is a limit")) << bad;
  }
}

TEST(Slo, IsKeptOnlyIfNearlyAllAreAnsweredInTime) {
  const Slo slo = Slo::Parse("p99=5ms").value();
  Outcome outcome;
  EXPECT_EQ(WhyNot(slo, 100, outcome), "no response");
  for (int i = 0; i < 1000; ++i) {
    outcome.total.Record({Nanos(0), Nanos(0), milliseconds(i < 990 ? 4 : 50), false}, Verdict());
  }
  outcome.seconds = 10;
  outcome.answered_in_time = 1000;
  EXPECT_EQ(WhyNot(slo, 100, outcome), "");
  // Fewer requests than wanted, but all that were due by chance.
  EXPECT_EQ(WhyNot(slo, 110, outcome), "");
  outcome.answered_in_time = 900;
  EXPECT_THAT(WhyNot(slo, 110, outcome), HasSubstr("only 90 requests/s"));
  // What was due and never sent was due nevertheless.
  outcome.answered_in_time = 1000;
  outcome.unsent = 100;
  EXPECT_THAT(WhyNot(slo, 110, outcome), HasSubstr("only 100 requests/s"));
  outcome.total.Record({Nanos(0), Nanos(0), milliseconds(50), false}, Verdict());
  EXPECT_THAT(WhyNot(slo, 100, outcome), HasSubstr("p99 is 50.0"));
  outcome.total.by_code[grpc::RESOURCE_EXHAUSTED] = 100;
  EXPECT_THAT(WhyNot(slo, 100, outcome), HasSubstr("% failed"));
}

}  // namespace
}  // namespace hellocnn::load
