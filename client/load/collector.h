// The series of a run out of what its threads hand over.
#ifndef HELLOCNN_CLIENT_LOAD_COLLECTOR_H_
#define HELLOCNN_CLIENT_LOAD_COLLECTOR_H_

#include <cstdint>
#include <map>
#include <vector>

#include "client/load/ledger.h"
#include "client/load/tally.h"

namespace hellocnn::load {

// Latency and rate are told for pieces of this length, and the measured time of a run is whole
// pieces.
inline constexpr Nanos kInterval = std::chrono::milliseconds(100);

// The sums of one interval.
struct Interval {
  std::int64_t answered = 0;
  std::int64_t failed = 0;
  std::int64_t images = 0;
  double latency_sum_seconds = 0;  // of the answered
};

// A stretch of the run, for plots.
struct Point {
  double start_seconds;  // since the end of the warm-up
  double length_seconds;
  std::int64_t answered;
  std::int64_t failed;
  std::int64_t images;
  std::int64_t p50, p99, max;  // latency in nanoseconds
  std::int64_t in_flight;      // at its end
};

// Pages may come in any order of intervals, and late: on a crowded machine a thread may hand over
// an interval long after its end. Totals and intervals are exact all the same; what is too late for
// its point counts in the next one. Not thread-safe.
class Collector {
 public:
  // Points are as long as `point`, rounded down to whole intervals, at least one.
  explicit Collector(Nanos point);

  void Take(const Page& page, std::int64_t in_flight);
  // Makes points of what lies before interval number `interval`, of stretches in which nothing
  // ended too.
  void CloseBefore(std::int64_t interval);
  // Makes points of all that is left.
  void CloseAll();

  const Tally& total() const { return total_; }
  const std::vector<Interval>& intervals() const { return intervals_; }
  const std::vector<Point>& points() const { return points_; }

 private:
  struct Open {
    std::int64_t answered = 0;
    std::int64_t failed = 0;
    std::int64_t images = 0;
    std::int64_t in_flight = 0;
    Histogram latency;
  };

  void CloseNext();

  const std::int64_t intervals_in_point_;
  Tally total_;
  std::vector<Interval> intervals_;
  std::map<std::int64_t, Open> open_;  // by number of the point, from next_point_ on
  std::int64_t next_point_ = 0;
  std::vector<Point> points_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_CLIENT_LOAD_COLLECTOR_H_
