#include "loadgen/core/analysis.h"

#include "absl/strings/str_format.h"

namespace hellocnn::load {
namespace {

constexpr double kBusy = 0.9;       // share of a CPU
constexpr double kManyLate = 0.01;  // share of the requests

}  // namespace

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
