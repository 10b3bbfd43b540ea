// What a measurement is worth. Pure functions.
#ifndef HELLOCNN_LOADGEN_CORE_ANALYSIS_H_
#define HELLOCNN_LOADGEN_CORE_ANALYSIS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Why the generator, and not the server, may be what was measured; empty if nothing says so. Full
// sentences for people.
std::vector<std::string> JudgeGenerator(const Outcome& outcome);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_ANALYSIS_H_
