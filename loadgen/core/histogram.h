// Counts values in slots whose width grows with the value, as HdrHistogram does. Memory is bounded,
// and values of any size keep three significant digits.
#ifndef HELLOCNN_LOADGEN_CORE_HISTOGRAM_H_
#define HELLOCNN_LOADGEN_CORE_HISTOGRAM_H_

#include <cstdint>
#include <vector>

namespace hellocnn::load {

// A histogram of values >= 0, here nanoseconds. Each value below 2,048 has a slot of its own. A
// larger slot spans less than 1/1,024 of its values. Counts are exact. A histogram takes 270 KB,
// however much is recorded.
//
// Not thread-safe. Record neither allocates nor blocks.
class Histogram {
 public:
  // The largest value with a slot: 73 minutes in nanoseconds. Larger values are counted in the last
  // slot; max() still has their true size.
  static constexpr std::int64_t kLargest = (std::int64_t{1} << 42) - 1;

  struct Slot {
    std::int64_t lowest;
    std::int64_t highest;  // inclusive
    std::int64_t count;
  };

  Histogram();

  // Counts `value`. A negative value counts as 0.
  void Record(std::int64_t value);
  void Add(const Histogram& other);
  void Clear();

  std::int64_t count() const { return count_; }
  double sum() const { return sum_; }
  // Returns 0 while the histogram is empty, as max() does.
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double Mean() const;
  double StandardDeviation() const;

  // Returns the smallest value that at least the share `quantile`, 0 to 1, of the values does not
  // exceed. The value is the upper end of its slot, but never more than max(). Returns 0 while
  // empty.
  std::int64_t ValueAt(double quantile) const;

  // Returns the slots whose count is not 0, in ascending order.
  std::vector<Slot> Slots() const;

 private:
  std::vector<std::int64_t> counts_;
  int first_;  // the counts outside [first_, last_] are 0
  int last_;
  std::int64_t count_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_HISTOGRAM_H_
