// The statistics of computed images for metrics.
#ifndef HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_
#define HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_

#include "hellocnn/image.h"
#include "server/observability/events.h"

namespace hellocnn::server {

// Measures the mean and the contrast of an image's grey levels. For float images, it first reverses
// `normalization`. The result is limited to 0 to 1, so that one odd float image cannot spoil a sum
// over millions. Thread-safe.
GreyLevels MeasureGreyLevels(const ImageView& image, const Normalization& normalization);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_
