#include "hellocnn/train/trainee.h"

#include <cstdint>

namespace hellocnn {

std::vector<torch::Tensor> Trainee::weights() const {
  std::vector<torch::Tensor> all = module->parameters();
  for (const torch::Tensor& buffer : module->buffers()) {
    if (buffer.is_floating_point()) all.push_back(buffer);
  }
  return all;
}

torch::Tensor LogProbabilities(const Trainee& network, const torch::Tensor& grey,
                               const Normalization& normalization) {
  constexpr std::int64_t kImagesTogether = 250;  // their activations stay in the cache
  const torch::NoGradGuard no_grad;
  network.module->eval();
  std::vector<torch::Tensor> rows;
  for (const torch::Tensor& images : grey.split(kImagesTogether)) {
    rows.push_back(network.forward(NormalizeBatch(images, normalization)));
  }
  return torch::cat(rows);
}

double Accuracy(const torch::Tensor& log_probabilities, const torch::Tensor& labels) {
  const auto right = log_probabilities.argmax(1).eq(labels).sum().item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(labels.size(0));
}

}  // namespace hellocnn
