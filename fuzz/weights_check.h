// What is asked of weights that a loader has taken.
#ifndef HELLOCNN_FUZZ_WEIGHTS_CHECK_H_
#define HELLOCNN_FUZZ_WEIGHTS_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn::fuzz {

// Requires that `weights` are an error that RequireGoodError takes, or sound: every value is
// finite, the shapes fit, and a file that SaveWeightFile writes under the name
// `scratch_name` reads as the same weights.
void CheckWeights(const absl::StatusOr<Weights>& weights, const std::string& path,
                  const std::string& scratch_name);

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_WEIGHTS_CHECK_H_
