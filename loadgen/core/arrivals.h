// When an open loop sends: a sequence of instants that no answer changes. No clock, no thread.
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

// Since the start of the run, warm-up included.
using Nanos = std::chrono::nanoseconds;

// Instants since the start, none before the one ahead of it. Not thread-safe.
class Arrivals {
 public:
  virtual ~Arrivals() = default;
  // nullopt: there are no more.
  virtual std::optional<Nanos> Next() = 0;
};

// Makes the same sequence at each call.
using ArrivalsFactory = std::function<std::unique_ptr<Arrivals>()>;

// Every 1 / `rate` seconds, the first at 0. Request n has its own product, so nothing adds up.
// `rate` > 0, in requests a second.
std::unique_ptr<Arrivals> ConstantArrivals(double rate);

// A Poisson process: independent, exponentially distributed gaps of 1 / `rate` on average.
std::unique_ptr<Arrivals> PoissonArrivals(double rate, std::uint64_t seed);

// From rate `from` to rate `to`, which may be less, in a straight line over `over`; from then on
// constant at `to`. `from` >= 0, `to` > 0.
std::unique_ptr<Arrivals> RampArrivals(double from, double to, Nanos over);

// `times`, ascending.
std::unique_ptr<Arrivals> RecordedArrivals(std::shared_ptr<const std::vector<Nanos>> times);

// Number `first`, counted from 0, of `all`, and every `step`-th after it: what one of `step`
// threads sends.
std::unique_ptr<Arrivals> EveryNth(std::unique_ptr<Arrivals> all, int first, int step);

// Reads send times, in seconds since the first line's start, one a line, ascending; empty lines and
// lines that begin with # are left out. NOT_FOUND: no such file. INVALID_ARGUMENT names the file
// and the line, what was found and what was wanted.
absl::StatusOr<std::vector<Nanos>> ReadSendTimes(const std::string& path);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_ARRIVALS_H_
