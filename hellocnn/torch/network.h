// HelloCNN as a torch::nn module, built from the layer table, with the tensor names of the Python
// original. LibTorch stops in this folder: its exceptions are caught here, its headers are included
// nowhere else.
#ifndef HELLOCNN_TORCH_NETWORK_H_
#define HELLOCNN_TORCH_NETWORK_H_

#include <torch/torch.h>

#include "hellocnn/weights.h"

namespace hellocnn {

// What the layers are computed with.
enum class Kernels {
  kAsWritten,  // the modules of the original
  // Pools go along rows, then columns, each window by doubling: 2, 4, 8, then two that overlap; the
  // result is bit-identical, since a maximum is exact in any order. A ReLU comes after the pool
  // that follows it: a maximum does not mind, and there are four times fewer values. Dense layers
  // are convolutions of a 1x1 image, which oneDNN computes; as matrix products they would go to
  // whichever BLAS is installed, by default on Debian the slow one.
  kFast,
};

// Not thread-safe while parameters change; forward() may then run on several threads.
class HelloCnnImpl : public torch::nn::Module {
 public:
  explicit HelloCnnImpl(int classes, Kernels kernels = Kernels::kFast);

  int classes() const { return classes_; }

  // From [N, 1, 32, 32] to log-probabilities, [N, classes()], for N >= 1.
  torch::Tensor forward(const torch::Tensor& images);

 private:
  const int classes_;
  torch::nn::Sequential conv_;
  torch::nn::Sequential linear_;
};
TORCH_MODULE(HelloCnn);

// MaxPool2d(window x window, stride 1) of [N, C, H, W] by doubling. Differentiable.
torch::Tensor MaxPoolByDoubling(torch::Tensor images, int window);

// Copy between the module's parameters and the checked tensors, of as many classes.
void SetWeights(HelloCnn& network, const Weights& weights);
absl::StatusOr<Weights> GetWeights(const HelloCnn& network);

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_NETWORK_H_
