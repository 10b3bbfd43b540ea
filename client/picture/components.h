// Connected parts of a mask.
#ifndef HELLOCNN_CLIENT_PICTURE_COMPONENTS_H_
#define HELLOCNN_CLIENT_PICTURE_COMPONENTS_H_

#include <cstdint>
#include <vector>

#include "client/picture/plane.h"

namespace hellocnn::client::picture {

// One connected part. Pixels that touch at a corner are connected.
struct Component {
  Box box;
  std::int64_t area = 0;    // pixels
  std::int64_t border = 0;  // pixels of it on the border of the picture
};

struct Components {
  // [height, width]: index of the component of each pixel; -1 for pixels outside of the mask
  std::vector<std::int32_t> labels;
  std::vector<Component> parts;
};

// Returns the parts of `plane` that are greater than `threshold`.
Components FindComponents(const Plane& plane, float threshold);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_COMPONENTS_H_
