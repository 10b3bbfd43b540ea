#include "client/load/analysis.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kShortest = 3;  // intervals in a third
constexpr std::int64_t kFewest = 30;  // answers in a third
constexpr double kBusy = 0.9;         // of a CPU
constexpr double kManyLate = 0.01;    // of the requests

double Spread(const std::array<double, 3>& values) {
  const double mean = (values[0] + values[1] + values[2]) / 3;
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value - mean));
  return mean > 0 ? most / mean : 0;
}

}  // namespace

Steadiness JudgeSteadiness(absl::Span<const Interval> intervals) {
  Steadiness steadiness;
  const std::size_t length = intervals.size() / 3;
  if (length < kShortest) return steadiness;
  std::array<double, 3> answers{};
  std::array<double, 3> latencies{};
  // What does not divide by three is left out at the start.
  const std::size_t first = intervals.size() - 3 * length;
  for (std::size_t third = 0; third < 3; ++third) {
    std::int64_t answered = 0;
    double sum = 0;
    for (const Interval& interval : intervals.subspan(first + third * length, length)) {
      answered += interval.answered;
      sum += interval.latency_sum_seconds;
    }
    if (answered < kFewest) return steadiness;
    answers[third] = static_cast<double>(answered);
    latencies[third] = sum / static_cast<double>(answered);
  }
  steadiness.known = true;
  steadiness.rate_spread = Spread(answers);
  steadiness.latency_spread = Spread(latencies);
  return steadiness;
}

std::vector<std::string> JudgeGenerator(const Outcome& outcome) {
  std::vector<std::string> reasons;
  const OwnCost& cost = outcome.cost;
  if (cost.busiest_thread > kBusy) {
    reasons.push_back(absl::StrFormat(
        "One thread of the generator was busy for %.0f%% of the time: give it more --threads.",
        100 * cost.busiest_thread));
  }
  if (cost.CpuRatio() > kBusy) {
    reasons.push_back(absl::StrFormat(
        "The generator used %.0f%% of the CPUs that it may use: give it more, or another machine.",
        100 * cost.CpuRatio()));
  }
  const std::int64_t requests = outcome.total.requests();
  if (outcome.open_loop && requests > 0) {
    const double late = static_cast<double>(outcome.total.late) / static_cast<double>(requests);
    if (late > kManyLate) {
      reasons.push_back(absl::StrFormat(
          "%.1f%% of the requests were sent more than 1 ms late, which the generator, or the want "
          "of a free CPU for it, is to blame for.",
          100 * late));
    }
  }
  return reasons;
}

}  // namespace hellocnn::load
