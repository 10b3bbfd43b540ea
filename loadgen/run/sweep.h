// Values to measure at, one after the other: "64", "1:64:x2", "1000:5000:+1000".
#ifndef HELLOCNN_LOADGEN_RUN_SWEEP_H_
#define HELLOCNN_LOADGEN_RUN_SWEEP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// One number, or FROM:TO:xFACTOR, or FROM:TO:+STEP; TO is the last at most. Ascending, each > 0 and
// <= `largest`, a thousand at most. INVALID_ARGUMENT says what is wrong with `text`.
absl::StatusOr<std::vector<double>> ParseSweep(const std::string& text, double largest);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SWEEP_H_
