// The output of an engine: rows of log-probabilities, with one row for each image and one value for
// each class.
#ifndef HELLOCNN_PREDICTION_H_
#define HELLOCNN_PREDICTION_H_

#include <algorithm>
#include <span>

#include "absl/status/status.h"

namespace hellocnn {

// Returns the index of the greatest value, which is the most likely class. If several values are
// equally great, returns the lowest index. `log_probabilities` is one row and must not be empty.
inline int MostLikelyClass(std::span<const float> log_probabilities) {
  return static_cast<int>(std::max_element(log_probabilities.begin(), log_probabilities.end()) -
                          log_probabilities.begin());
}

// Sets the status of each row: OK if every value of the row is finite, otherwise INVALID_ARGUMENT.
// Weights are always finite, so a row that is not finite comes from an image whose pixels are too
// large or not numbers. Implementations of Engine::Classify call it last.
//
// `log_probabilities` is row-major, [statuses.size(), classes].
void CheckRows(std::span<const float> log_probabilities, std::span<absl::Status> statuses);

}  // namespace hellocnn

#endif  // HELLOCNN_PREDICTION_H_
