#include "hellocnn/train/normalized_network.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace hellocnn {

NormalizedHelloCnnImpl::NormalizedHelloCnnImpl(int classes) : network_(classes) {
  register_module("network", network_);
  // The weights and the bias of each layer in turn; all layers but the last have a ReLU.
  const auto parameters = network_->parameters();
  for (std::size_t i = 0; i + 2 < parameters.size(); i += 2) {
    norms_.emplace_back(parameters[i].size(0));
    register_module(absl::StrCat("norm", i / 2), norms_.back());
  }
}

torch::Tensor NormalizedHelloCnnImpl::forward(const torch::Tensor& images) {
  torch::Tensor x = images;
  auto norm = norms_.begin();
  for (const auto& part : network_->children()) {  // conv, then linear
    if (norm != norms_.begin()) x = x.flatten(1);
    auto& layers = *part->as<torch::nn::Sequential>();
    for (auto& layer : layers) {
      x = layer.forward(x);
      if (layer.ptr()->as<torch::nn::ReLU>() == nullptr) continue;
      // The pixels of a channel are normalised together.
      x = (*norm++)->forward(x.dim() == 4 ? x.flatten(2) : x).view(x.sizes());
    }
  }
  return x;
}

HelloCnn NormalizedHelloCnnImpl::Fold() const {
  const torch::NoGradGuard no_grad;
  HelloCnn folded(network_->classes());
  const auto source = network_->parameters();
  const auto target = folded->parameters();
  for (std::size_t i = 0; i < source.size(); ++i) target[i].copy_(source[i]);
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    const auto& norm = *norms_[i];
    const torch::Tensor scale = norm.weight / torch::sqrt(norm.running_var + norm.options.eps());
    const torch::Tensor shift = norm.bias - norm.running_mean * scale;
    const torch::Tensor& weight = target[2 * i + 2];  // [outputs, inputs, ...]
    const torch::Tensor& bias = target[2 * i + 3];
    std::vector<std::int64_t> inputs(static_cast<std::size_t>(weight.dim()), 1);
    inputs[1] = weight.size(1);
    bias.add_((weight * shift.view(inputs)).flatten(1).sum(1));
    weight.mul_(scale.view(inputs));
  }
  return folded;
}

}  // namespace hellocnn
