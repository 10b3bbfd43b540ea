// Parses the values to measure at in turn: "64", "1:64:x2", "1000:5000:+1000".
#ifndef HELLOCNN_LOADGEN_RUN_SWEEP_H_
#define HELLOCNN_LOADGEN_RUN_SWEEP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// Parses one number, FROM:TO:xFACTOR or FROM:TO:+STEP. No value exceeds TO. Returns at most 1,000
// values in ascending order, each > 0 and <= `largest`. INVALID_ARGUMENT says what is wrong with
// `text`.
absl::StatusOr<std::vector<double>> ParseSweep(const std::string& text, double largest);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SWEEP_H_
