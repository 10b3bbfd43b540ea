// MNIST, or a set in its format, as tensors, split by a seed, and the random distortions of
// training.
#ifndef HELLOCNN_TRAIN_DATASET_H_
#define HELLOCNN_TRAIN_DATASET_H_

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/image.h"

namespace hellocnn {

// Grey levels, uint8 [N, 1, 32, 32] with the black border in place, and class indices, int64 [N].
struct Dataset {
  torch::Tensor images;
  torch::Tensor labels;

  std::int64_t size() const { return labels.size(0); }
};

// Reads `directory`'s `prefix` ("train" or "t10k") images and pads them from 28x28 to 32x32. Labels
// must be 0 to `classes` - 1. Errors as ReadMnist; INVALID_ARGUMENT too for images of another size.
absl::StatusOr<Dataset> LoadDataset(const std::string& directory, const std::string& prefix,
                                    int classes);

struct Split {
  Dataset training;
  Dataset validation;
};

// Puts `validation_size` examples, drawn by `seed`, aside. Requires 0 < validation_size <
// all.size().
Split SplitDataset(const Dataset& all, std::int64_t validation_size, std::uint64_t seed);

// The network's input, float32 [N, 1, 32, 32], of grey levels (uint8 or float32).
torch::Tensor NormalizeBatch(const torch::Tensor& grey, const Normalization& normalization);

// Each image turned, scaled and shifted at random: by up to 10 degrees, 10% and 2 pixels at
// strength 1. 0 leaves the images as they are. Draws from LibTorch's default generator.
torch::Tensor Distort(const torch::Tensor& grey, double strength);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_DATASET_H_
