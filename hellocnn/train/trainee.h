// A network of any architecture that can be trained: HelloCNN itself, HelloCNN with
// normalisation, or a teacher.
#ifndef HELLOCNN_TRAIN_TRAINEE_H_
#define HELLOCNN_TRAIN_TRAINEE_H_

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <vector>

#include "hellocnn/image.h"
#include "hellocnn/train/dataset.h"

namespace hellocnn {

// Copies share the module.
struct Trainee {
  std::shared_ptr<torch::nn::Module> module;
  // Returns log-probabilities, [N, classes], for normalised images, [N, 1, 32, 32].
  std::function<torch::Tensor(const torch::Tensor&)> forward;

  // Returns everything that training changes: the parameters, then the buffers of floats. The
  // tensors share the module's memory.
  std::vector<torch::Tensor> weights() const;
};

// Returns a trainee that shares the module of `network`, which is a holder as HelloCnn.
template <typename Network>
Trainee AsTrainee(Network network) {
  return {network.ptr(),
          [network](const torch::Tensor& images) mutable { return network->forward(images); }};
}

// Returns the log-probabilities, float32 [N, classes], of grey levels, uint8 or float32
// [N, 1, 32, 32]. Records no gradients, and leaves the module in the mode for evaluation.
torch::Tensor LogProbabilities(const Trainee& network, const torch::Tensor& grey,
                               const Normalization& normalization);

// Returns the share of images whose label has the largest log-probability, 0 to 1.
double Accuracy(const torch::Tensor& log_probabilities, const torch::Tensor& labels);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINEE_H_
