#include "server/observability/prometheus/sharded_metrics.h"

#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr std::array kBounds = {1.0, 10.0};

std::vector<std::uint64_t> Buckets(const prometheus::ClientMetric& metric) {
  std::vector<std::uint64_t> counts;
  for (const auto& bucket : metric.histogram.bucket) counts.push_back(bucket.cumulative_count);
  return counts;
}

TEST(ShardedMetricsTest, EverySeriesIsThereFromTheStartInItsFamily) {
  ShardedMetrics metrics;
  metrics.AddCounter("a_total", "As.", {{"kind", "x"}});
  metrics.AddHistogram("b", "Bs.", kBounds);
  metrics.AddCounter("a_total", "As.", {{"kind", "y"}});
  const std::vector<prometheus::MetricFamily> families = metrics.Collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[0].name, "a_total");
  EXPECT_EQ(families[0].help, "As.");
  EXPECT_EQ(families[0].type, prometheus::MetricType::Counter);
  ASSERT_EQ(families[0].metric.size(), 2u);
  EXPECT_EQ(families[0].metric[1].label[0].value, "y");
  EXPECT_EQ(families[0].metric[1].counter.value, 0);
  EXPECT_EQ(families[1].type, prometheus::MetricType::Histogram);
  EXPECT_THAT(Buckets(families[1].metric[0]), ElementsAre(0, 0, 0));
}

TEST(ShardedMetricsTest, ValuesOnABoundAreInItsBucket) {
  ShardedMetrics metrics;
  const auto histogram = metrics.AddHistogram("b", "Bs.", kBounds);
  for (const double value : {0.5, 1.0, 1.5, 10.0, 11.0}) histogram.Observe(value);
  const auto metric = metrics.Collect()[0].metric[0];
  EXPECT_THAT(Buckets(metric), ElementsAre(2, 4, 5));
  EXPECT_EQ(metric.histogram.bucket.back().upper_bound, std::numeric_limits<double>::infinity());
  EXPECT_EQ(metric.histogram.sample_count, 5u);
  EXPECT_DOUBLE_EQ(metric.histogram.sample_sum, 24);
}

TEST(ShardedMetricsTest, NothingThatThreadsCountIsLostWhileOthersRead) {
  ShardedMetrics metrics;
  const auto counter = metrics.AddCounter("a_total", "As.");
  const auto histogram = metrics.AddHistogram("b", "Bs.", kBounds);
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    double last = 0;
    while (!stop) {
      const double now = metrics.Total("a_total");
      EXPECT_GE(now, last);
      last = now;
      metrics.Collect();
    }
  });
  for (int generation = 0; generation < 4; ++generation) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          counter.Increment();
          histogram.Observe(5);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  stop = true;
  reader.join();
  EXPECT_EQ(metrics.Total("a_total"), 160'000);
  EXPECT_EQ(metrics.Collect()[1].metric[0].histogram.sample_count, 160'000u);
}

TEST(ShardedMetricsTest, SameNameAndLabelsAreTheSameSeries) {
  ShardedMetrics metrics;
  const auto one = metrics.AddCounter("a_total", "As.", {{"kind", "x"}});
  const auto other = metrics.AddCounter("a_total", "As.", {{"kind", "y"}});
  const auto again = metrics.AddCounter("a_total", "As.", {{"kind", "x"}});
  one.Increment();
  again.Increment(2);
  other.Increment(10);
  EXPECT_EQ(metrics.Total("a_total", {{"kind", "x"}}), 3);
  EXPECT_EQ(metrics.Total("a_total", {{"kind", "y"}}), 10);
  EXPECT_EQ(metrics.Total("a_total"), 13);
  EXPECT_EQ(metrics.Total("b_total"), 0);
  EXPECT_EQ(metrics.Collect()[0].metric.size(), 2u);
}

TEST(ShardedMetricsTest, SeriesThatAreAddedLaterAreCountedByThreadsThatHaveBegun) {
  ShardedMetrics metrics;
  const auto first = metrics.AddCounter("a_total", "As.");
  first.Increment();
  const auto late = metrics.AddHistogram("b", "Bs.", kBounds);
  EXPECT_EQ(metrics.Total("a_total"), 1);  // this thread's copy has no cell for the histogram yet
  EXPECT_EQ(metrics.Collect()[1].metric[0].histogram.sample_count, 0u);
  late.Observe(5);
  first.Increment();
  EXPECT_EQ(metrics.Total("a_total"), 2);
  EXPECT_EQ(metrics.Collect()[1].metric[0].histogram.sample_count, 1u);
}

TEST(ShardedMetricsTest, NothingIsLostWhileSeriesAreAdded) {
  constexpr int kSeries = 200;
  ShardedMetrics metrics;
  const auto steady = metrics.AddCounter("steady_total", "");
  // Each thread counts what it has been shown so far; the last one shown is published by `shown`.
  std::array<ShardedMetrics::Counter, kSeries> added;
  std::atomic<int> shown = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  std::array<int, 3> rounds{};
  for (int& round : rounds) {
    threads.emplace_back([&] {
      int counted = 0;
      while (counted < kSeries) {
        steady.Increment();
        ++round;
        for (const int now = shown; counted < now; ++counted) {
          added[static_cast<std::size_t>(counted)].Increment();
        }
      }
    });
  }
  std::thread reader([&] {
    double last = 0;
    while (!stop) {
      const double now = metrics.Collect()[0].metric[0].counter.value;
      EXPECT_GE(now, last);
      last = now;
    }
  });
  for (int i = 0; i < kSeries; ++i) {
    added[static_cast<std::size_t>(i)] =
        metrics.AddCounter("late_total", "", {{"i", std::to_string(i)}});
    shown = i + 1;
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
  EXPECT_EQ(metrics.Total("steady_total"), rounds[0] + rounds[1] + rounds[2]);
  for (int i = 0; i < kSeries; ++i) {
    EXPECT_EQ(metrics.Total("late_total", {{"i", std::to_string(i)}}), 3);
  }
}

TEST(ShardedMetricsTest, GaugeGoesDownOnAnotherThreadAndIsNeverShownBelowZero) {
  ShardedMetrics metrics;
  const auto gauge = metrics.AddGauge("g", "Gs.");
  gauge.Increment();
  gauge.Increment();
  std::thread([&] { gauge.Decrement(); }).join();
  EXPECT_EQ(metrics.Collect()[0].metric[0].gauge.value, 1);
  std::thread([&] { gauge.Increment(-5); }).join();
  EXPECT_EQ(metrics.Collect()[0].metric[0].gauge.value, 0);
}

// Returns the values of a family's counters by those of the label `kind`.
std::map<std::string, double> ByKind(const ShardedMetrics& metrics) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      values[metric.label.at(0).value] += metric.counter.value;
    }
  }
  return values;
}

TEST(ShardedMetricsTest, WhatRetiredSeriesHaveCountedIsKeptUnderAnotherLabel) {
  ShardedMetrics metrics;
  for (const char* kind : {"x", "y", "z"}) {
    metrics.AddCounter("a_total", "As.", {{"kind", kind}}).Increment(2);
  }
  metrics.Retire({{"kind", "x"}}, {{"kind", "old"}});
  EXPECT_THAT(ByKind(metrics), ElementsAre(Pair("old", 2), Pair("y", 2), Pair("z", 2)));
  metrics.Retire({{"kind", "y"}}, {{"kind", "older"}});
  EXPECT_THAT(ByKind(metrics), ElementsAre(Pair("older", 4), Pair("z", 2)));
  EXPECT_EQ(metrics.Total("a_total"), 6);
  EXPECT_EQ(metrics.Total("a_total", {{"kind", "older"}}), 4);
}

TEST(ShardedMetricsTest, RetiredHistogramsAreAddedBucketByBucket) {
  ShardedMetrics metrics;
  metrics.AddHistogram("b", "Bs.", kBounds, {{"kind", "x"}}).Observe(0.5);
  metrics.AddHistogram("b", "Bs.", kBounds, {{"kind", "y"}}).Observe(5);
  metrics.Retire({{"kind", "x"}}, {{"kind", "old"}});
  metrics.Retire({{"kind", "y"}}, {{"kind", "old"}});
  const auto families = metrics.Collect();
  ASSERT_EQ(families.at(0).metric.size(), 1u);
  EXPECT_THAT(Buckets(families[0].metric[0]), ElementsAre(1, 2, 2));
  EXPECT_DOUBLE_EQ(families[0].metric[0].histogram.sample_sum, 5.5);
}

TEST(ShardedMetricsTest, RetiringWhatHasCountedNothingLeavesNoTrace) {
  ShardedMetrics metrics;
  metrics.AddCounter("a_total", "As.", {{"kind", "x"}}).Increment();
  metrics.AddCounter("a_total", "As.", {{"kind", "y"}});
  metrics.Retire({{"kind", "x"}}, {{"kind", "old"}});
  metrics.Retire({{"kind", "y"}}, {{"kind", "older"}});
  EXPECT_THAT(ByKind(metrics), ElementsAre(Pair("old", 1)));
  metrics.AddCounter("b_total", "Bs.", {{"kind", "z"}});
  metrics.Retire({{"kind", "z"}}, {{"kind", "older"}});
  EXPECT_EQ(metrics.Collect().size(), 1u);
}

// Each thread has counted with the cells that a new series gets.
TEST(ShardedMetricsTest, NewSeriesBeginAtZeroInTheCellsOfRetiredOnes) {
  ShardedMetrics metrics;
  auto counter = metrics.AddCounter("a_total", "As.", {{"kind", "0"}});
  for (int round = 1; round <= 3; ++round) {
    std::thread([&] { counter.Increment(5); }).join();
    counter.Increment();
    metrics.Retire({{"kind", std::to_string(round - 1)}}, {{"kind", "old"}});
    counter = metrics.AddCounter("a_total", "As.", {{"kind", std::to_string(round)}});
    EXPECT_THAT(ByKind(metrics),
                ElementsAre(Pair(std::to_string(round), 0), Pair("old", 6 * round)));
  }
}

TEST(ShardedMetricsTest, TotalsNeverFallWhileSeriesComeAndGo) {
  ShardedMetrics metrics;
  const auto steady = metrics.AddCounter("a_total", "As.", {{"kind", "steady"}});
  std::atomic<bool> stop = false;
  double counted = 0;
  std::thread counter([&] {
    while (!stop) {
      steady.Increment();
      ++counted;
    }
  });
  std::thread reader([&] {
    double last = 0;
    while (!stop) {
      const double now = metrics.Total("a_total");
      EXPECT_GE(now, last);
      last = now;
    }
  });
  for (int i = 0; i < 1000; ++i) {
    metrics.AddCounter("a_total", "As.", {{"kind", std::to_string(i)}}).Increment();
    metrics.Retire({{"kind", std::to_string(i)}}, {{"kind", "old"}});
  }
  stop = true;
  counter.join();
  reader.join();
  EXPECT_EQ(metrics.Total("a_total"), counted + 1000);
}

TEST(ShardedMetricsTest, OneThreadCountsForSeveralAndForOneThatTookAnothersPlace) {
  std::optional<ShardedMetrics> first(std::in_place);
  ShardedMetrics second;
  const auto of_second = second.AddCounter("a_total", "As.");
  for (int round = 0; round < 3; ++round) {
    first.emplace();
    const auto of_first = first->AddCounter("a_total", "As.");
    of_first.Increment();
    of_second.Increment(2);
    of_first.Increment();
    EXPECT_EQ(first->Total("a_total"), 2);
  }
  EXPECT_EQ(second.Total("a_total"), 6);
}

}  // namespace
}  // namespace hellocnn::server
