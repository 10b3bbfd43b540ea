// What metrics keep of an image that is computed.
#ifndef HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_
#define HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_

#include "hellocnn/image.h"
#include "server/observability/events.h"

namespace hellocnn::server {

// Measures the mean and the contrast of an image's grey levels. Of float images, it undoes what
// `normalization` has made. A float image may then lie outside of 0 to 1; the result is held
// within, so that one odd image cannot spoil a sum of millions. Thread-safe.
GreyLevels MeasureGreyLevels(const ImageView& image, const Normalization& normalization);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_GREY_LEVELS_H_
