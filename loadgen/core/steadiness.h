// Judges whether the last windows of a measurement agree. Pure.
#ifndef HELLOCNN_LOADGEN_CORE_STEADINESS_H_
#define HELLOCNN_LOADGEN_CORE_STEADINESS_H_

#include <cstddef>

#include "absl/types/span.h"
#include "loadgen/core/collector.h"

namespace hellocnn::load {

// How many windows are compared, and how far each may lie from the mean of all.
inline constexpr std::size_t kSteadyWindows = 3;
inline constexpr double kSteadySpread = 0.1;

// Which latency must be steady. A server whose median is steady may have a tail that is not.
enum class SteadyBy { kP50, kP99 };
// "p50" or "p99".
const char* NameOf(SteadyBy by);

struct Steadiness {
  bool known = false;  // false: too few windows, or too few responses in one of them
  // The largest distance of a window from the mean of all, relative to the mean.
  double rate_spread = 0;
  double latency_spread = 0;
  bool steady() const {
    return known && rate_spread <= kSteadySpread && latency_spread <= kSteadySpread;
  }
};

// Judges `windows`, which are in order, complete and of equal length.
Steadiness JudgeSteadiness(absl::Span<const Window> windows, SteadyBy by);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_STEADINESS_H_
