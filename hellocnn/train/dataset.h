// Labelled images as tensors. Splits them by a seed and distorts them at random for training.
#ifndef HELLOCNN_TRAIN_DATASET_H_
#define HELLOCNN_TRAIN_DATASET_H_

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/image.h"

namespace hellocnn {

// Images, grey levels of uint8 [N, 1, 32, 32] including the black border, and their labels, class
// indices of int64 [N].
struct Dataset {
  torch::Tensor images;
  torch::Tensor labels;
  int content_size = 28;        // rows and columns without the border: 28 or 32
  bool looks_inverted = false;  // dark digits on a light background, as they are after mending

  std::int64_t size() const { return labels.size(0); }
};

// Makes tensors of the images and labels, and pads images of 28x28 to 32x32. `where` is where they
// come from. INVALID_ARGUMENT: the images are neither 28x28 nor 32x32.
absl::StatusOr<Dataset> MakeDataset(const std::string& where, LabeledImages set);

struct Split {
  Dataset training;
  Dataset validation;
};

// Splits off `validation_size` examples, drawn at random with `seed`, for validation. Requires
// 0 < validation_size < all.size().
Split SplitDataset(const Dataset& all, std::int64_t validation_size, std::uint64_t seed);

// Returns the network's input, float32 [N, 1, 32, 32], for grey levels (uint8 or float32).
torch::Tensor NormalizeBatch(const torch::Tensor& grey, const Normalization& normalization);

// Returns the images, each rotated, scaled and shifted at random. At strength 1, the limits are 10
// degrees, 10% and 2 pixels. Strength 0 leaves the images unchanged. Uses LibTorch's default random
// generator.
torch::Tensor Distort(const torch::Tensor& grey, double strength);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_DATASET_H_
