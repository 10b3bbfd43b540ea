// Brings a digit to the size and the place that MNIST's digits have.
#ifndef HELLOCNN_CLIENT_PICTURE_NORMALISE_H_
#define HELLOCNN_CLIENT_PICTURE_NORMALISE_H_

#include <cstdint>
#include <vector>

#include "client/picture/plane.h"

namespace hellocnn::client::picture {

// Returns the 1,024 grey levels of the network's input for `ink`, 0 to 1. All ink is in `box`, and
// there is some. The longer side of the box becomes 20 of 28 rows of the content, and the centre of
// mass lies in the middle.
std::vector<std::uint8_t> Normalise(const Plane& ink, const Box& box, int content, int padding);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_NORMALISE_H_
