// One measurement: the workers, and the thread that collects from them.
#ifndef HELLOCNN_LOADGEN_RUN_RUN_H_
#define HELLOCNN_LOADGEN_RUN_RUN_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "loadgen/core/caller.h"
#include "loadgen/core/collector.h"
#include "loadgen/core/pacer.h"
#include "loadgen/core/steadiness.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {

// How the measured time is cut, and whether it ends early.
struct Windows {
  // Whole intervals. 0: a tenth of the duration, at most 1 s, which it also is without a duration.
  Nanos length{0};
  SteadyBy judged_by = SteadyBy::kP50;
  bool until_steady = false;  // measure no longer than until the last windows are steady
};

struct Plan {
  ArrivalsFactory arrivals;  // empty: a closed loop
  // Closed loop: requests under way always. Open loop: at most; beyond, they are held back.
  int in_flight = 1;
  int threads = 1;  // each with a completion queue and its share of the connections; <= connections
  Limits limits;
  Windows windows;
  Nanos timeout = std::chrono::seconds(5);  // of each request
};

// The generator's own use of the machine while it measured.
struct OwnCost {
  double cpu_seconds = 0;  // of the process
  double elapsed_seconds = 0;
  double cpus = 1;            // that it may use: affinity and cgroup
  double busiest_thread = 0;  // 0 to 1: CPU time of one of its threads over the time that passed
  double CpuRatio() const { return elapsed_seconds > 0 ? cpu_seconds / elapsed_seconds / cpus : 0; }
};

struct Outcome {
  Tally total;    // all that was measured, to the last answer
  Tally warm_up;  // all that was sent before
  // What rates are made of: whole intervals, from the end of the warm-up until no more was sent. If
  // there is none, or a count of requests ended the run, until the last answer.
  double seconds = 0;
  std::int64_t answered_in_time = 0;
  std::int64_t failed_in_time = 0;
  std::int64_t images_in_time = 0;
  std::vector<Interval> intervals;  // those of `seconds`
  std::vector<Window> windows;      // to the last answer
  Nanos window_length{0};
  SteadyBy judged_by = SteadyBy::kP50;
  Steadiness steadiness;  // of the windows within `seconds`
  OwnCost cost;
  bool open_loop = false;
  bool interrupted = false;

  double Rate() const { return seconds > 0 ? static_cast<double>(answered_in_time) / seconds : 0; }
  double ImageRate() const {
    return seconds > 0 ? static_cast<double>(images_in_time) / seconds : 0;
  }
};

// What can be seen while it runs.
struct View {
  Nanos now;  // since the start
  bool warming_up;
  absl::Span<const Tally* const> latest;  // what has ended since the last view, warm-up too
  const Tally* total;                     // what is measured, so far
  std::int64_t in_flight;
  double cpu_ratio;  // as OwnCost, since the last view
};

class Observer {
 public:
  virtual ~Observer() = default;
  // On the thread of Measure, every 100 ms. Should not take long.
  virtual void See(const View& view) = 0;
};

// `count` connections of their own to `target`, ready for use. UNAVAILABLE: not within `patience`.
absl::StatusOr<Channels> Connect(const std::string& target, int count, Nanos patience);

// Runs `plan` to its end, or until `stop` becomes true; then waits for what is under way. Blocks.
// `protocol` is not used any more when it returns.
Outcome Measure(const Plan& plan, const Protocol& protocol, const Channels& channels,
                absl::Span<Observer* const> observers, const std::atomic<bool>& stop);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_RUN_H_
