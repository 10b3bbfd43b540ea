// The images that are sent.
#ifndef HELLOCNN_LOADGEN_CORE_IMAGES_H_
#define HELLOCNN_LOADGEN_CORE_IMAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/client/client.h"
#include "hellocnn/data/idx.h"

namespace hellocnn::load {

struct Images {
  std::vector<client::Image> images;  // at least one
  std::vector<int> labels;            // one for each image, or empty
};

// How pixels are sent over the network.
struct PixelOptions {
  bool float32 = false;                 // else 8-bit grey levels
  client::Preprocessing preprocessing;  // as the server reports it; only for float32
};

// Reads MNIST's test set, t10k-…, with its labels from `directory`, and does to the images what
// `mending` says. Images smaller than 32x32 then get an even black border. Returns the errors of
// ReadMnist, and INVALID_ARGUMENT if there is no image or the images do not fit.
absl::StatusOr<Images> ReadImages(const std::string& directory, const Presentation& mending,
                                  const PixelOptions& options);

// Returns `count` images of random blots, without labels. The same seed gives the same images.
Images GenerateImages(int count, std::uint64_t seed, const PixelOptions& options);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_IMAGES_H_
