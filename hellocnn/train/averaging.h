// The moving average of a network's weights. The weights of a single step still carry the noise of
// the last batches; their average generalises better.
#ifndef HELLOCNN_TRAIN_AVERAGING_H_
#define HELLOCNN_TRAIN_AVERAGING_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace hellocnn {

// Weights are lists of tensors, in the order of Trainee::weights().

// Returns tensors of their own memory with the same values.
std::vector<torch::Tensor> CopyWeights(const std::vector<torch::Tensor>& weights);

// Writes the values of `from` into `to`. Requires the same shapes.
void AssignWeights(const std::vector<torch::Tensor>& from, const std::vector<torch::Tensor>& to);

// Exchanges the values of both. Requires the same shapes.
void ExchangeWeights(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b);

// Moves `average` towards `weights` after a step of training, the `step`-th from 0. The share of
// the old average is `decay`, 0 to below 1; at first it is less, so that the initial weights are
// soon forgotten. With a decay of 0, the average is `weights`.
void UpdateAverage(const std::vector<torch::Tensor>& weights, double decay, std::int64_t step,
                   const std::vector<torch::Tensor>& average);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_AVERAGING_H_
