#include "loadgen/core/analysis.h"

#include "absl/strings/str_cat.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

constexpr double kBusy = 0.9;       // share of a CPU
constexpr double kManyLate = 0.01;  // share of the requests

}  // namespace

std::vector<std::string> JudgeGenerator(const Outcome& outcome) {
  std::vector<std::string> reasons;
  const OwnCost& cost = outcome.cost;
  if (cost.busiest_thread > kBusy) {
    reasons.push_back(absl::StrCat("One thread of the generator was busy for ",
                                   Percent(cost.busiest_thread),
                                   " of the time: give it more --threads."));
  }
  if (cost.CpuRatio() > kBusy) {
    reasons.push_back(
        absl::StrCat("The generator used ", Percent(cost.CpuRatio()),
                     " of the CPUs that it may use: give it more, or another machine."));
  }
  const std::int64_t requests = outcome.total.requests();
  if (outcome.open_loop && requests > 0) {
    const double late = Share(outcome.total.late, requests);
    if (late > kManyLate) {
      reasons.push_back(absl::StrCat(
          Percent(late),
          " of the requests were sent more than 1 ms late, which the generator, or the want "
          "of a free CPU for it, is to blame for."));
    }
  }
  return reasons;
}

}  // namespace hellocnn::load
