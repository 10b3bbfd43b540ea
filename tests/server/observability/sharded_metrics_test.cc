#include "server/observability/prometheus/sharded_metrics.h"

#include <array>
#include <atomic>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

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
      const double now = counter.Value();
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
  EXPECT_EQ(counter.Value(), 160'000);
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
  EXPECT_EQ(one.Value(), 3);
  EXPECT_EQ(other.Value(), 10);
  EXPECT_EQ(metrics.Collect()[0].metric.size(), 2u);
}

TEST(ShardedMetricsTest, SeriesThatAreAddedLaterAreCountedByThreadsThatHaveBegun) {
  ShardedMetrics metrics;
  const auto first = metrics.AddCounter("a_total", "As.");
  first.Increment();
  const auto late = metrics.AddHistogram("b", "Bs.", kBounds);
  EXPECT_EQ(first.Value(), 1);  // this thread's copy has no cell for the histogram yet
  EXPECT_EQ(metrics.Collect()[1].metric[0].histogram.sample_count, 0u);
  late.Observe(5);
  first.Increment();
  EXPECT_EQ(first.Value(), 2);
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
  EXPECT_EQ(steady.Value(), rounds[0] + rounds[1] + rounds[2]);
  for (const auto& counter : added) EXPECT_EQ(counter.Value(), 3);
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
    EXPECT_EQ(of_first.Value(), 2);
  }
  EXPECT_EQ(of_second.Value(), 6);
}

}  // namespace
}  // namespace hellocnn::server
