#include "loadgen/core/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hellocnn::load {
namespace {

constexpr int kPrecisionBits = 11;                // 2,048 slots before widths double
constexpr int kHalf = 1 << (kPrecisionBits - 1);  // slots of each width after that
constexpr int kDoublings = 42 - kPrecisionBits;   // up to kLargest
constexpr int kSlots = kHalf * (kDoublings + 2);

// Values of s + 11 bits have shift s. A slot is given by their upper 11 bits, the first of which is
// always 1.
int IndexOf(std::int64_t value) {
  const int bits = std::bit_width(static_cast<std::uint64_t>(value));
  const int shift = std::max(0, bits - kPrecisionBits);
  return shift * kHalf + static_cast<int>(value >> shift);
}

Histogram::Slot SlotAt(int index, std::int64_t count) {
  const int shift = index < 2 * kHalf ? 0 : index / kHalf - 1;
  const std::int64_t lowest = std::int64_t{index - shift * kHalf} << shift;
  return {lowest, lowest + (std::int64_t{1} << shift) - 1, count};
}

}  // namespace

Histogram::Histogram() : counts_(kSlots), first_(kSlots), last_(-1) {}

void Histogram::Record(std::int64_t value) {
  value = std::max<std::int64_t>(value, 0);
  const int index = IndexOf(std::min(value, kLargest));
  ++counts_[index];
  first_ = std::min(first_, index);
  last_ = std::max(last_, index);
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  ++count_;
  const auto real = static_cast<double>(value);
  sum_ += real;
  sum_of_squares_ += real * real;
}

void Histogram::Add(const Histogram& other) {
  if (other.count_ == 0) return;
  for (int i = other.first_; i <= other.last_; ++i) counts_[i] += other.counts_[i];
  first_ = std::min(first_, other.first_);
  last_ = std::max(last_, other.last_);
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

void Histogram::Clear() {
  if (count_ == 0) return;
  std::fill(counts_.begin() + first_, counts_.begin() + last_ + 1, 0);
  first_ = kSlots;
  last_ = -1;
  count_ = 0;
  sum_ = sum_of_squares_ = 0;
  min_ = max_ = 0;
}

double Histogram::Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

double Histogram::StandardDeviation() const {
  if (count_ == 0) return 0;
  const double mean = Mean();
  return std::sqrt(std::max(0.0, sum_of_squares_ / static_cast<double>(count_) - mean * mean));
}

std::int64_t Histogram::ValueAt(double quantile) const {
  if (count_ == 0) return 0;
  // 0.99 of 100 is the 99th, although 0.99 * 100 is a little more than 99 in binary.
  const double exact = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_);
  const auto rank = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(exact - 1e-6)));
  std::int64_t seen = 0;
  for (int i = first_; i <= last_; ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    // The last slot also counts larger values.
    return i == kSlots - 1 ? max_ : std::min(SlotAt(i, 0).highest, max_);
  }
  return max_;
}

std::vector<Histogram::Slot> Histogram::Slots() const {
  std::vector<Slot> slots;
  for (int i = first_; i <= last_; ++i) {
    if (counts_[i] > 0) slots.push_back(SlotAt(i, counts_[i]));
  }
  return slots;
}

}  // namespace hellocnn::load
