// Judges how far a measurement can be trusted. Pure functions.
#ifndef HELLOCNN_LOADGEN_CORE_ANALYSIS_H_
#define HELLOCNN_LOADGEN_CORE_ANALYSIS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Returns the reasons why the generator, and not the server, may be what was measured. Each is a
// full sentence for people. Empty if there is no such reason.
std::vector<std::string> JudgeGenerator(const Outcome& outcome);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_ANALYSIS_H_
