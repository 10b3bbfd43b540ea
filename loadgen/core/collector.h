// Builds the time series of a run from what its threads hand over.
#ifndef HELLOCNN_LOADGEN_CORE_COLLECTOR_H_
#define HELLOCNN_LOADGEN_CORE_COLLECTOR_H_

#include <cstdint>
#include <map>
#include <vector>

#include "loadgen/core/ledger.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {

// Latency and rate are reported for intervals of this length. The measured time of a run consists
// of whole intervals.
inline constexpr Nanos kInterval = std::chrono::milliseconds(100);

// The sums of one interval.
struct Interval {
  std::int64_t answered = 0;
  std::int64_t failed = 0;
  std::int64_t images = 0;
};

// A section of the run. Windows decide whether the run is steady, and plots show them.
struct Window {
  double start_seconds;  // since the end of the warm-up
  double length_seconds;
  std::int64_t answered;
  std::int64_t failed;
  std::int64_t images;
  std::int64_t p50, p99, max;  // latency in nanoseconds
  std::int64_t in_flight;      // at the end of the window
};

// Accepts pages in any order of intervals, and late ones. On a busy machine a thread may hand over
// an interval long after its end. Totals and intervals are exact nevertheless; a page that is too
// late for its window counts in the next window. Not thread-safe.
class Collector {
 public:
  // Makes windows of length `window`, rounded down to whole intervals, at least one.
  explicit Collector(Nanos window);

  void Take(const Page& page, std::int64_t in_flight);
  // Closes the windows that end before interval number `interval`. This includes windows in which
  // no request ended.
  void CloseBefore(std::int64_t interval);
  // Closes all remaining windows.
  void CloseAll();

  const Tally& total() const { return total_; }
  const Tally& warm_up() const { return warm_up_; }
  const std::vector<Interval>& intervals() const { return intervals_; }
  const std::vector<Window>& windows() const { return windows_; }

 private:
  struct Open {
    std::int64_t answered = 0;
    std::int64_t failed = 0;
    std::int64_t images = 0;
    std::int64_t in_flight = 0;
    Histogram latency;
  };

  void CloseNext();

  const std::int64_t intervals_in_window_;
  Tally total_;
  Tally warm_up_;
  std::vector<Interval> intervals_;
  std::map<std::int64_t, Open> open_;  // by number of the window, from next_window_ on
  std::int64_t next_window_ = 0;
  std::vector<Window> windows_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_COLLECTOR_H_
