// HelloCNN with batch normalisation after each ReLU, for training only. The large pools make
// activations that are all far above zero and differ little, from which a network learns slowly.
// Normalised, it learns in one epoch what takes eight without.
//
// After training, each normalisation is a scale and a shift for each channel. They are folded into
// the layer that follows, so the result has HelloCNN's layers and nothing else.
#ifndef HELLOCNN_TRAIN_NORMALIZED_NETWORK_H_
#define HELLOCNN_TRAIN_NORMALIZED_NETWORK_H_

#include <torch/torch.h>

#include <vector>

#include "hellocnn/torch/network.h"

namespace hellocnn {

// Not thread-safe.
class NormalizedHelloCnnImpl : public torch::nn::Module {
 public:
  // Draws the initial weights from LibTorch's default random generator.
  explicit NormalizedHelloCnnImpl(int classes);

  // Returns the log-probabilities, [N, classes], of `images`, [N, 1, 32, 32]. While training,
  // requires N >= 2, normalises by the batch, and keeps a moving average of its moments.
  // Afterwards, normalises by these averages.
  torch::Tensor forward(const torch::Tensor& images);

  // Returns a network of its own that computes what forward() computes after training, up to
  // rounding.
  HelloCnn Fold() const;

 private:
  HelloCnn network_;
  std::vector<torch::nn::BatchNorm1d> norms_;  // in the order of the ReLUs
};
TORCH_MODULE(NormalizedHelloCnn);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_NORMALIZED_NETWORK_H_
