#include "hellocnn/train/averaging.h"

#include <algorithm>
#include <cstddef>

namespace hellocnn {

std::vector<torch::Tensor> CopyWeights(const std::vector<torch::Tensor>& weights) {
  std::vector<torch::Tensor> copies;
  copies.reserve(weights.size());
  for (const torch::Tensor& tensor : weights) copies.push_back(tensor.detach().clone());
  return copies;
}

void AssignWeights(const std::vector<torch::Tensor>& from, const std::vector<torch::Tensor>& to) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < from.size(); ++i) to.at(i).copy_(from[i]);
}

void ExchangeWeights(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  const std::vector<torch::Tensor> kept = CopyWeights(a);
  AssignWeights(b, a);
  AssignWeights(kept, b);
}

void UpdateAverage(const std::vector<torch::Tensor>& weights, double decay, std::int64_t step,
                   const std::vector<torch::Tensor>& average) {
  const torch::NoGradGuard no_grad;
  const double kept =
      std::min(decay, static_cast<double>(step + 1) / static_cast<double>(step + 10));
  for (std::size_t i = 0; i < weights.size(); ++i) average.at(i).lerp_(weights[i], 1 - kept);
}

}  // namespace hellocnn
