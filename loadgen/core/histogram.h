// Counts of values in slots that grow with the value, as HdrHistogram has them: bounded memory, and
// three significant digits at any size.
#ifndef HELLOCNN_LOADGEN_CORE_HISTOGRAM_H_
#define HELLOCNN_LOADGEN_CORE_HISTOGRAM_H_

#include <cstdint>
#include <vector>

namespace hellocnn::load {

// Of values >= 0, here nanoseconds. Values below 2,048 have a slot each; a slot further up spans
// less than 1/1,024 of its values. Counts are exact. Takes 270 KB, whatever is recorded.
//
// Not thread-safe. Record neither allocates nor blocks.
class Histogram {
 public:
  // Larger values are counted in the last slot; max() still has their true size. 73 minutes in ns.
  static constexpr std::int64_t kLargest = (std::int64_t{1} << 42) - 1;

  struct Slot {
    std::int64_t lowest;
    std::int64_t highest;  // inclusive
    std::int64_t count;
  };

  Histogram();

  // `value` < 0 counts as 0.
  void Record(std::int64_t value);
  void Add(const Histogram& other);
  void Clear();

  std::int64_t count() const { return count_; }
  double sum() const { return sum_; }
  // 0 while empty.
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double Mean() const;
  double StandardDeviation() const;

  // The least value that a share of at least `quantile`, 0 to 1, of the values does not exceed, as
  // the upper end of its slot, and never more than max(). 0 while empty.
  std::int64_t ValueAt(double quantile) const;

  // The slots that hold something, ascending.
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
