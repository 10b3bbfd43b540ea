#include "loadgen/core/steadiness.h"

#include <gtest/gtest.h>

#include <vector>

namespace hellocnn::load {
namespace {

// Returns windows of 1 s with these numbers of responses, a p50 of 1 ms and a p99 of 10 ms.
std::vector<Window> Answering(std::initializer_list<std::int64_t> answers) {
  std::vector<Window> windows;
  for (const std::int64_t answered : answers) {
    Window window{};
    window.start_seconds = static_cast<double>(windows.size());
    window.length_seconds = 1;
    window.answered = answered;
    window.p50 = 1'000'000;
    window.p99 = 10'000'000;
    windows.push_back(window);
  }
  return windows;
}

TEST(Steadiness, ThreeWindowsWithinTenPercentOfTheirMeanAreSteady) {
  const Steadiness steady = JudgeSteadiness(Answering({950, 1000, 1050}), SteadyBy::kP50);
  EXPECT_TRUE(steady.steady());
  EXPECT_NEAR(steady.rate_spread, 0.05, 1e-9);
  EXPECT_EQ(steady.latency_spread, 0);
  EXPECT_TRUE(JudgeSteadiness(Answering({900, 1000, 1100}), SteadyBy::kP50).steady());
  const Steadiness unsteady = JudgeSteadiness(Answering({890, 1000, 1110}), SteadyBy::kP50);
  EXPECT_TRUE(unsteady.known);
  EXPECT_FALSE(unsteady.steady());
}

TEST(Steadiness, OnlyTheLastWindowsCount) {
  EXPECT_TRUE(JudgeSteadiness(Answering({10, 5000, 1000, 1000, 1000}), SteadyBy::kP50).steady());
  EXPECT_FALSE(JudgeSteadiness(Answering({1000, 1000, 1000, 1500}), SteadyBy::kP50).steady());
}

TEST(Steadiness, LatencyThatGrowsIsNotSteady) {
  std::vector<Window> windows = Answering({1000, 1000, 1000});
  windows.back().p50 = 1'400'000;
  const Steadiness growing = JudgeSteadiness(windows, SteadyBy::kP50);
  EXPECT_TRUE(growing.known);
  EXPECT_FALSE(growing.steady());
  EXPECT_EQ(growing.rate_spread, 0);
}

TEST(Steadiness, AnUnsteadyTailShowsInTheTailOnly) {
  std::vector<Window> windows = Answering({1000, 1000, 1000});
  windows[1].p99 = 30'000'000;
  EXPECT_TRUE(JudgeSteadiness(windows, SteadyBy::kP50).steady());
  EXPECT_FALSE(JudgeSteadiness(windows, SteadyBy::kP99).steady());
}

TEST(Steadiness, TooLittleSaysNothing) {
  EXPECT_FALSE(JudgeSteadiness({}, SteadyBy::kP50).known);
  EXPECT_FALSE(JudgeSteadiness(Answering({1000, 1000}), SteadyBy::kP50).known);
  EXPECT_FALSE(JudgeSteadiness(Answering({1000, 29, 1000}), SteadyBy::kP50).known);
  EXPECT_TRUE(JudgeSteadiness(Answering({99, 99, 99}), SteadyBy::kP50).known);
  EXPECT_FALSE(JudgeSteadiness(Answering({99, 99, 99}), SteadyBy::kP99).known);
}

}  // namespace
}  // namespace hellocnn::load
