// Finds weights with which no image could be classified.
#ifndef HELLOCNN_WEIGHT_BOUNDS_H_
#define HELLOCNN_WEIGHT_BOUNDS_H_

#include "absl/status/status.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Checks that the network stays within float32 for every image of grey levels, in whatever order an
// engine adds. Each sum is at most the sum of the magnitudes of what is added, so one pass over the
// weights tells. Without this check, the pixels of a request would be blamed for the weights.
//
// INVALID_ARGUMENT: a layer may overflow. The message names the layer and the largest weight, with
// its tensor and its position, or the normalization if that alone overflows. Thread-safe.
absl::Status CheckStaysFinite(const Weights& weights, const Normalization& normalization);

}  // namespace hellocnn

#endif  // HELLOCNN_WEIGHT_BOUNDS_H_
