// What comes out of an engine.
#ifndef HELLOCNN_PREDICTION_H_
#define HELLOCNN_PREDICTION_H_

#include <algorithm>
#include <array>
#include <span>

#include "absl/status/status.h"
#include "hellocnn/topology.h"

namespace hellocnn {

struct Prediction {
  std::array<float, kClasses> log_probabilities;  // natural logarithms, by class index

  // The most likely class; of equal ones, the lowest.
  int ClassIndex() const {
    return static_cast<int>(std::max_element(log_probabilities.begin(), log_probabilities.end()) -
                            log_probabilities.begin());
  }
};

// What an engine says when it is done. INVALID_ARGUMENT: a log-probability is not finite. The
// weights are finite, so that is what pixels have done that are finite, but too large.
absl::Status CheckFinite(std::span<const Prediction> predictions);

}  // namespace hellocnn

#endif  // HELLOCNN_PREDICTION_H_
