#include "loadgen/core/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace hellocnn::load {
namespace {

// Returns the value of rank ceil(quantile * n) of the sorted samples.
std::int64_t Exact(const std::vector<std::int64_t>& sorted, double quantile) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(sorted.size()) - 1e-6));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

TEST(Histogram, QuantilesAreThoseOfTheSortedSamplesToThreeDigits) {
  std::mt19937_64 random(7);
  // Values are 1 us to 100 s, spread evenly over the decades.
  std::uniform_real_distribution<double> exponent(3, 11);
  Histogram histogram;
  std::vector<std::int64_t> samples;
  for (int i = 0; i < 200'000; ++i) {
    samples.push_back(static_cast<std::int64_t>(std::pow(10, exponent(random))));
    histogram.Record(samples.back());
  }
  std::sort(samples.begin(), samples.end());
  for (const double quantile : {0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999}) {
    const auto exact = static_cast<double>(Exact(samples, quantile));
    const auto found = static_cast<double>(histogram.ValueAt(quantile));
    EXPECT_GE(found, exact) << quantile;
    EXPECT_LE(found, exact * (1 + 1.0 / 1024)) << quantile;
  }
  EXPECT_EQ(histogram.ValueAt(1), samples.back());
  EXPECT_EQ(histogram.min(), samples.front());
  EXPECT_EQ(histogram.max(), samples.back());
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (int value = 1; value <= 2047; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.ValueAt(0.5), 1024);
  EXPECT_EQ(histogram.ValueAt(1), 2047);
  EXPECT_EQ(histogram.Slots().size(), 2047U);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 1024);
}

TEST(Histogram, SlotsJoinWithoutGapOrOverlap) {
  Histogram histogram;
  for (std::int64_t value = 1; value < Histogram::kLargest; value += 1 + value / 4096)
    histogram.Record(value);
  const std::vector<Histogram::Slot> slots = histogram.Slots();
  ASSERT_GT(slots.size(), 30'000U);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i > 0) {
      ASSERT_EQ(slots[i].lowest, slots[i - 1].highest + 1);
    }
    ASSERT_LE(slots[i].highest - slots[i].lowest, slots[i].lowest / 1024);
    count += slots[i].count;
  }
  EXPECT_EQ(count, histogram.count());
  EXPECT_EQ(slots.back().highest, Histogram::kLargest);
}

TEST(Histogram, RankOfARoundPercentileIsExact) {
  Histogram histogram;
  for (int value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.ValueAt(0.99), 99);
  EXPECT_EQ(histogram.ValueAt(0.07), 7);
  EXPECT_EQ(histogram.ValueAt(0.991), 100);
}

TEST(Histogram, KeepsTheTrueSizeOfWhatIsTooLarge) {
  Histogram histogram;
  histogram.Record(5 * Histogram::kLargest);
  histogram.Record(-3);
  EXPECT_EQ(histogram.count(), 2);
  EXPECT_EQ(histogram.max(), 5 * Histogram::kLargest);
  EXPECT_EQ(histogram.ValueAt(1), 5 * Histogram::kLargest);
  EXPECT_EQ(histogram.min(), 0);
}

TEST(Histogram, SumOfTwoIsAsIfRecordedInOne) {
  std::mt19937_64 random(3);
  Histogram both;
  Histogram first;
  Histogram second;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(random() % 1'000'000'000);
    both.Record(value);
    (i % 3 == 0 ? first : second).Record(value);
  }
  first.Add(second);
  EXPECT_EQ(first.count(), both.count());
  EXPECT_EQ(first.min(), both.min());
  EXPECT_EQ(first.max(), both.max());
  EXPECT_EQ(first.ValueAt(0.9), both.ValueAt(0.9));
  EXPECT_NEAR(first.StandardDeviation(), both.StandardDeviation(), 1);
  first.Clear();
  EXPECT_EQ(first.count(), 0);
  EXPECT_EQ(first.ValueAt(0.5), 0);
  EXPECT_TRUE(first.Slots().empty());
  first.Record(12);
  EXPECT_EQ(first.min(), 12);
  EXPECT_EQ(first.max(), 12);
}

}  // namespace
}  // namespace hellocnn::load
