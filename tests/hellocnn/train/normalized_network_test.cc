#include "hellocnn/train/normalized_network.h"

#include <gtest/gtest.h>

namespace hellocnn {
namespace {

// Returns a network whose normalisations have moments, scales and shifts of their own.
NormalizedHelloCnn Trained(int classes) {
  torch::manual_seed(11);
  NormalizedHelloCnn network(classes);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : network->parameters())
    parameter.add_(0.1 * torch::randn(parameter.sizes()));
  for (int batch = 0; batch < 3; ++batch) network->forward(torch::randn({8, 1, 32, 32}));
  network->eval();
  return network;
}

TEST(NormalizedNetworkTest, FoldedItComputesTheSame) {
  for (const int classes : {2, 10}) {
    NormalizedHelloCnn network = Trained(classes);
    HelloCnn folded = network->Fold();
    const torch::NoGradGuard no_grad;
    const torch::Tensor images = torch::randn({6, 1, 32, 32});
    const torch::Tensor wanted = network->forward(images);
    EXPECT_TRUE(torch::allclose(folded->forward(images), wanted, 1e-4, 1e-4));
    EXPECT_GT((wanted[0] - wanted[1]).abs().max().item<float>(), 1e-3);
  }
}

TEST(NormalizedNetworkTest, FoldingLeavesTheNetworkAlone) {
  NormalizedHelloCnn network = Trained(10);
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::randn({2, 1, 32, 32});
  const torch::Tensor before = network->forward(images);
  HelloCnn folded = network->Fold();
  for (auto& parameter : folded->parameters()) parameter.zero_();
  EXPECT_TRUE(torch::equal(network->forward(images), before));
}

TEST(NormalizedNetworkTest, TrainsTheNormalisationsToo) {
  NormalizedHelloCnn network(10);
  torch::nll_loss(network->forward(torch::randn({4, 1, 32, 32})),
                  torch::tensor({1, 2, 3, 4}, torch::kInt64))
      .backward();
  EXPECT_EQ(network->parameters().size(), 18);
  for (const auto& parameter : network->named_parameters()) {
    EXPECT_TRUE(parameter->grad().defined()) << parameter.key();
  }
}

}  // namespace
}  // namespace hellocnn
