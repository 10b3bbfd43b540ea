// Runs one measurement: the workers, and the thread that collects from them.
#ifndef HELLOCNN_LOADGEN_RUN_RUN_H_
#define HELLOCNN_LOADGEN_RUN_RUN_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "loadgen/core/caller.h"
#include "loadgen/core/collector.h"
#include "loadgen/core/pacer.h"
#include "loadgen/core/steadiness.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {

// How the measured time is divided into windows, and whether it ends early.
struct Windows {
  // The length of a window, in whole intervals. 0 means a tenth of the duration but at most 1 s, or
  // 1 s without a duration.
  Nanos length{0};
  SteadyBy judged_by = SteadyBy::kP50;
  bool until_steady = false;  // true: end when the last windows are steady
};

struct Plan {
  ArrivalsFactory arrivals;  // empty: a closed loop
  // Closed loop: the number of requests in flight at all times. Open loop: the most in flight;
  // requests beyond it are held back.
  int in_flight = 1;
  int threads = 1;  // each with a completion queue and its share of the connections; <= connections
  RunLimits limits;
  Windows windows;
  Nanos timeout = std::chrono::seconds(5);  // of each request
};

// The CPU time that the generator itself used while it measured.
struct OwnCost {
  double cpu_seconds = 0;  // of the process
  double elapsed_seconds = 0;
  double cpus = 1;            // CPUs that it may use, by affinity and cgroup
  double busiest_thread = 0;  // 0 to 1: CPU time of its busiest thread over elapsed time
  double CpuRatio() const { return elapsed_seconds > 0 ? cpu_seconds / elapsed_seconds / cpus : 0; }
};

struct Outcome {
  Tally total;    // all measured requests, up to the last response
  Tally warm_up;  // all requests that were sent before
  // The time that rates refer to: whole intervals, from the end of the warm-up until sending ended.
  // It lasts until the last response if there is no whole interval, or if a count of requests ended
  // the run.
  double seconds = 0;
  std::int64_t answered_in_time = 0;
  std::int64_t failed_in_time = 0;
  std::int64_t images_in_time = 0;
  std::vector<Interval> intervals;  // the intervals within `seconds`
  std::vector<Window> windows;      // up to the last response
  Nanos window_length{0};
  SteadyBy judged_by = SteadyBy::kP50;
  Steadiness steadiness;  // judged by the windows within `seconds`
  OwnCost cost;
  bool open_loop = false;
  // Open loop: measured requests that were due before the sending ended, and were not sent.
  std::int64_t unsent = 0;
  // True if the run was stopped before its end. Its figures cover the time until then.
  bool interrupted = false;
  // Requests that were cancelled because no response came within kPatienceAfterStop of the stop.
  // No other figure has them.
  std::int64_t cancelled = 0;

  double Rate() const { return seconds > 0 ? static_cast<double>(answered_in_time) / seconds : 0; }
  double ImageRate() const {
    return seconds > 0 ? static_cast<double>(images_in_time) / seconds : 0;
  }
};

// What an observer sees during a run.
struct View {
  Nanos now;  // time since the start
  bool warming_up;
  // Requests that ended since the last view, including the warm-up.
  absl::Span<const Tally* const> latest;
  const Tally* total;  // measured requests so far
  std::int64_t in_flight;
  double cpu_ratio;  // as in OwnCost, but since the last view
};

class Observer {
 public:
  virtual ~Observer() = default;
  // Receives a view every 100 ms on the thread of Measure. Must return quickly.
  virtual void See(const View& view) = 0;
};

// How long a run that is stopped waits for the requests in flight.
inline constexpr Nanos kPatienceAfterStop = std::chrono::seconds(1);

// Runs `plan` until it ends, then waits for the requests in flight, at most until their timeout.
// Once `stop` becomes true, ends within kPatienceAfterStop and a few intervals. Blocks. `protocol`
// is no longer used when it returns.
Outcome Measure(const Plan& plan, const Protocol& protocol, const Channels& channels,
                absl::Span<Observer* const> observers, const std::atomic<bool>& stop);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_RUN_H_
