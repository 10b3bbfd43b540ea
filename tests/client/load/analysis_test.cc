#include "client/load/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Thirds of `length` intervals each with these answers an interval, each of 1 ms.
std::vector<Interval> Thirds(int length, std::initializer_list<int> answers,
                             double latency = 1e-3) {
  std::vector<Interval> intervals;
  for (const int answered : answers) {
    for (int i = 0; i < length; ++i) {
      intervals.push_back({answered, 0, answered, answered * latency});
    }
  }
  return intervals;
}

TEST(Steadiness, ThirdsWithinTenPercentAreSteady) {
  const Steadiness steady = JudgeSteadiness(Thirds(10, {95, 100, 105}));
  EXPECT_TRUE(steady.steady());
  EXPECT_NEAR(steady.rate_spread, 0.05, 1e-9);
  EXPECT_NEAR(steady.latency_spread, 0, 1e-9);
  EXPECT_FALSE(JudgeSteadiness(Thirds(10, {80, 100, 120})).steady());
}

TEST(Steadiness, LatencyThatGrowsIsNotSteady) {
  std::vector<Interval> intervals = Thirds(10, {100, 100, 100});
  for (std::size_t i = 20; i < 30; ++i) intervals[i].latency_sum_seconds *= 1.5;
  const Steadiness growing = JudgeSteadiness(intervals);
  EXPECT_TRUE(growing.known);
  EXPECT_FALSE(growing.steady());
  EXPECT_EQ(growing.rate_spread, 0);
}

TEST(Steadiness, TooLittleSaysNothing) {
  EXPECT_FALSE(JudgeSteadiness({}).known);
  EXPECT_FALSE(JudgeSteadiness(Thirds(2, {100, 100, 100})).known);
  EXPECT_FALSE(JudgeSteadiness(Thirds(10, {2, 2, 2})).known);
}

TEST(Generator, IsNotBlamedWithoutReason) {
  Outcome outcome;
  outcome.open_loop = true;
  outcome.total.by_code[0] = 1000;
  outcome.total.late = 9;
  outcome.total.held = 900;
  outcome.cost = {0.8, 1, 2, 0.7};
  EXPECT_THAT(JudgeGenerator(outcome), IsEmpty());
}

TEST(Generator, IsBlamedForLateSendsAndForFullCpus) {
  Outcome outcome;
  outcome.open_loop = true;
  outcome.total.by_code[0] = 1000;
  outcome.total.late = 30;
  EXPECT_THAT(JudgeGenerator(outcome), ElementsAre(HasSubstr("3.0% of the requests")));
  outcome.total.late = 0;
  outcome.cost = {1.9, 1, 2, 0.95};
  EXPECT_THAT(JudgeGenerator(outcome),
              ElementsAre(HasSubstr("--threads"), HasSubstr("95% of the CPUs")));
}

}  // namespace
}  // namespace hellocnn::load
