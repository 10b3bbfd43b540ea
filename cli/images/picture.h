// A picture as a file holds it, before it is fitted to the network.
#ifndef HELLOCNN_CLI_IMAGES_PICTURE_H_
#define HELLOCNN_CLI_IMAGES_PICTURE_H_

#include <cstdint>
#include <vector>

namespace hellocnn::cli {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> grey;  // [height, width], 0 is black; empty if `normalised` is set
  std::vector<float> normalised;   // [32, 32], sent unchanged; usually empty
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_PICTURE_H_
