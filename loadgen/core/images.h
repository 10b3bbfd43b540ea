// The images that are sent.
#ifndef HELLOCNN_LOADGEN_CORE_IMAGES_H_
#define HELLOCNN_LOADGEN_CORE_IMAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/client/client.h"

namespace hellocnn::load {

struct Images {
  std::vector<client::Image> images;  // at least one
  std::vector<int> labels;            // as many, or none
};

// How pixels go over the network.
struct PixelOptions {
  bool float32 = false;                 // else 8-bit grey levels
  client::Preprocessing preprocessing;  // as the server says; for float32
};

// MNIST's test set, t10k-…, in `directory`, with labels. Smaller images than 32x32 get an even
// border of black. Errors as ReadMnist; INVALID_ARGUMENT too: there is no image, or they don't fit.
absl::StatusOr<Images> ReadImages(const std::string& directory, const PixelOptions& options);

// `count` images of random blots, the same for the same seed; without labels.
Images GenerateImages(int count, std::uint64_t seed, const PixelOptions& options);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_IMAGES_H_
