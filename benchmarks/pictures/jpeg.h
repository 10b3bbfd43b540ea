// What saving a picture as JPEG does to it.
#ifndef HELLOCNN_BENCHMARKS_PICTURES_JPEG_H_
#define HELLOCNN_BENCHMARKS_PICTURES_JPEG_H_

#include "hellocnn/client/picture.h"

namespace hellocnn {

// Returns the picture after it was saved with `quality`, 1 to 100, and decoded again.
client::Picture ThroughJpeg(const client::Picture& picture, int quality);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PICTURES_JPEG_H_
