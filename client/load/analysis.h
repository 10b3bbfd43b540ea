// What a measurement is worth. Pure functions.
#ifndef HELLOCNN_CLIENT_LOAD_ANALYSIS_H_
#define HELLOCNN_CLIENT_LOAD_ANALYSIS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/load/run.h"

namespace hellocnn::load {

// Whether rate and mean latency stayed the same: the measured time is cut into three, and each
// third must lie within 10% of the mean of the three.
struct Steadiness {
  bool known = false;      // false: too short, or too few answers, to tell
  double rate_spread = 0;  // largest deviation of a third from the mean of the three, relative
  double latency_spread = 0;
  bool steady() const { return known && rate_spread <= 0.1 && latency_spread <= 0.1; }
};
Steadiness JudgeSteadiness(absl::Span<const Interval> intervals);

// Why the generator, and not the server, may be what was measured; empty if nothing says so. Full
// sentences for people.
std::vector<std::string> JudgeGenerator(const Outcome& outcome);

}  // namespace hellocnn::load

#endif  // HELLOCNN_CLIENT_LOAD_ANALYSIS_H_
