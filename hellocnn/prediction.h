// What comes out of an engine.
#ifndef HELLOCNN_PREDICTION_H_
#define HELLOCNN_PREDICTION_H_

#include <algorithm>
#include <array>

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

}  // namespace hellocnn

#endif  // HELLOCNN_PREDICTION_H_
