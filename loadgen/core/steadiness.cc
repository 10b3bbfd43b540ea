#include "loadgen/core/steadiness.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hellocnn::load {
namespace {

// Returns the fewest responses in a window for which its percentile is more than chance. The 99th
// percentile needs a value beyond it.
constexpr std::int64_t FewestAnswers(SteadyBy by) { return by == SteadyBy::kP50 ? 30 : 100; }

template <typename Value>
double Spread(absl::Span<const Window> windows, Value value) {
  double mean = 0;
  for (const Window& window : windows) {
    mean += static_cast<double>(value(window)) / static_cast<double>(windows.size());
  }
  double most = 0;
  for (const Window& window : windows) {
    most = std::max(most, std::abs(static_cast<double>(value(window)) - mean));
  }
  return mean > 0 ? most / mean : 0;
}

}  // namespace

const char* NameOf(SteadyBy by) { return by == SteadyBy::kP50 ? "p50" : "p99"; }

Steadiness JudgeSteadiness(absl::Span<const Window> windows, SteadyBy by) {
  Steadiness steadiness;
  if (windows.size() < kSteadyWindows) return steadiness;
  const absl::Span<const Window> last = windows.subspan(windows.size() - kSteadyWindows);
  for (const Window& window : last) {
    if (window.answered < FewestAnswers(by)) return steadiness;
  }
  steadiness.known = true;
  steadiness.rate_spread = Spread(last, [](const Window& window) { return window.answered; });
  steadiness.latency_spread = Spread(
      last, [by](const Window& window) { return by == SteadyBy::kP50 ? window.p50 : window.p99; });
  return steadiness;
}

}  // namespace hellocnn::load
