#include "hellocnn/prediction.h"

#include <cmath>

namespace hellocnn {

absl::Status CheckFinite(std::span<const Prediction> predictions) {
  for (const Prediction& prediction : predictions) {
    for (const float value : prediction.log_probabilities) {
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            "the network's output is not finite: the pixels are too large");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
