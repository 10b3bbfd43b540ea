// HelloCNN as a torch::nn module, built from the layer table, with the tensor names of the Python
// original. LibTorch stays inside this folder: its exceptions are caught here, and nothing else in
// serving includes its headers.
#ifndef HELLOCNN_TORCH_NETWORK_H_
#define HELLOCNN_TORCH_NETWORK_H_

#include <torch/torch.h>

#include "hellocnn/weights.h"

namespace hellocnn {

// How the layers are computed.
enum class Kernels {
  kAsWritten,  // the modules of the original
  // A pool goes along rows, then columns. It doubles each window (2, 4, 8) and finally merges two
  // windows that overlap. The result is bit-identical, because a maximum is exact in any order.
  // While gradients are recorded, MaxPoolWithGradient does so.
  //
  // Each ReLU runs after the pool that follows it. The two commute, and after the pool there are
  // four times fewer values.
  //
  // Dense layers are convolutions of a 1x1 image, which oneDNN computes. Matrix products would go
  // to the installed BLAS, and Debian installs the slow one by default.
  kFast,
};

// Not thread-safe while parameters change. Once they no longer change, several threads may call
// forward().
class HelloCnnImpl : public torch::nn::Module {
 public:
  explicit HelloCnnImpl(int classes, Kernels kernels = Kernels::kFast);

  int classes() const { return classes_; }

  // Returns the log-probabilities, [N, classes()], of `images`, [N, 1, 32, 32], for N >= 1.
  torch::Tensor forward(const torch::Tensor& images);

 private:
  const int classes_;
  torch::nn::Sequential conv_;
  torch::nn::Sequential linear_;
};
TORCH_MODULE(HelloCnn);

// Computes MaxPool2d(window x window, stride 1) of [N, C, H, W] by doubling. Differentiable.
torch::Tensor MaxPoolByDoubling(torch::Tensor images, int window);

// Computes the same for float32, and is differentiable faster: it keeps the position of each
// maximum. Of equal values, only the one that SlidingMax names gets a gradient.
torch::Tensor MaxPoolWithGradient(const torch::Tensor& images, int window);

// Copy between the module's parameters and checked tensors. For SetWeights, the number of classes
// of both must be the same.
void SetWeights(HelloCnn& network, const Weights& weights);
absl::StatusOr<Weights> GetWeights(const HelloCnn& network);

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_NETWORK_H_
