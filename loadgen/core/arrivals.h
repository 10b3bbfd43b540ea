// When an open loop sends: a sequence of instants that no response changes. No clock, no thread.
#ifndef HELLOCNN_LOADGEN_CORE_ARRIVALS_H_
#define HELLOCNN_LOADGEN_CORE_ARRIVALS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// Time since the start of the run, including the warm-up.
using Nanos = std::chrono::nanoseconds;
// The clock that runs are timed by. Nobody can set it.
using SteadyClock = std::chrono::steady_clock;

// A sequence of instants since the start, none earlier than the one before it. Not thread-safe.
class Arrivals {
 public:
  virtual ~Arrivals() = default;
  // Returns the next instant, or nullopt if there are no more.
  virtual std::optional<Nanos> Next() = 0;
};

// Returns a new object at each call. All of them have the same sequence.
using ArrivalsFactory = std::function<std::unique_ptr<Arrivals>()>;

// Sends every 1 / `rate` seconds, the first time at 0. Each instant is computed from its number, so
// rounding errors do not add up. `rate` > 0, in requests a second.
std::unique_ptr<Arrivals> ConstantArrivals(double rate);

// A Poisson process: independent, exponentially distributed gaps of 1 / `rate` on average.
std::unique_ptr<Arrivals> PoissonArrivals(double rate, std::uint64_t seed);

// Changes the rate linearly from `from` to `to`, which may be lower, over the time `over`. The rate
// then stays at `to`. `from` >= 0, `to` > 0.
std::unique_ptr<Arrivals> RampArrivals(double from, double to, Nanos over);

// Sends at `times`, which must be ascending.
std::unique_ptr<Arrivals> RecordedArrivals(std::shared_ptr<const std::vector<Nanos>> times);

// Keeps request number `first`, counted from 0, of `all`, and every `step`-th one after it. This is
// the share of one of `step` threads.
std::unique_ptr<Arrivals> EveryNth(std::unique_ptr<Arrivals> all, int first, int step);

// Reads send times, one a line and ascending, in seconds since the start of the run. Empty lines
// and lines that begin with # are ignored. NOT_FOUND: there is no such file. INVALID_ARGUMENT names
// the file and the line, the value found and the value wanted.
absl::StatusOr<std::vector<Nanos>> ReadSendTimes(const std::string& path);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_ARRIVALS_H_
