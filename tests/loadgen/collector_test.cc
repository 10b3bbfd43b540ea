#include "loadgen/core/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hellocnn::load {
namespace {

using ::testing::ElementsAre;

Page PageOf(std::int64_t interval, int answered) {
  Page page{.interval = interval};
  const Nanos at = interval * kInterval;
  for (int i = 0; i < answered; ++i) {
    page.measured.Record({.intended = at, .sent = at, .ended = at + Nanos(1000), .held = false},
                         {});
  }
  return page;
}

std::vector<std::int64_t> Answered(const Collector& collector) {
  std::vector<std::int64_t> answered;
  for (const Window& window : collector.windows()) answered.push_back(window.answered);
  return answered;
}

TEST(Collector, MakesAWindowOfEachStretchEvenIfNothingEndedInIt) {
  Collector collector(2 * kInterval);
  collector.Take(PageOf(0, 1), 0);
  collector.Take(PageOf(1, 2), 0);
  collector.Take(PageOf(4, 4), 0);
  collector.CloseBefore(6);
  EXPECT_THAT(Answered(collector), ElementsAre(3, 0, 4));
}

TEST(Collector, AWindowIsClosedOnlyWhenItIsOver) {
  Collector collector(2 * kInterval);
  collector.Take(PageOf(0, 1), 0);
  collector.CloseBefore(1);
  EXPECT_THAT(Answered(collector), ElementsAre());
  collector.CloseAll();
  EXPECT_THAT(Answered(collector), ElementsAre(1));
}

// Regression: a page that came too late for its window once made CloseAll run until memory was
// full.
TEST(Collector, WhatIsTooLateForItsWindowCountsInTheNext) {
  Collector collector(kInterval);
  collector.Take(PageOf(5, 1), 0);
  collector.CloseBefore(4);
  collector.Take(PageOf(2, 10), 0);
  collector.CloseBefore(6);
  collector.CloseAll();
  EXPECT_THAT(Answered(collector), ElementsAre(0, 0, 0, 0, 10, 1));
  EXPECT_EQ(collector.total().answered(), 11);
  EXPECT_EQ(collector.intervals()[2].answered, 10);
}

}  // namespace
}  // namespace hellocnn::load
