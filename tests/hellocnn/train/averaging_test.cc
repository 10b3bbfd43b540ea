#include "hellocnn/train/averaging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn {
namespace {

TEST(AveragingTest, FollowsTheDefinitionOnceTheStartIsForgotten) {
  const std::vector<torch::Tensor> weights{torch::full({2}, 8.F)};
  const std::vector<torch::Tensor> average{torch::full({2}, 4.F)};
  UpdateAverage(weights, 0.75, 1'000'000, average);
  EXPECT_TRUE(torch::equal(average[0], torch::full({2}, 5.F))) << average[0];
}

TEST(AveragingTest, KeepsLittleOfTheInitialWeightsAtFirst) {
  const std::vector<torch::Tensor> weights{torch::full({1}, 10.F)};
  const std::vector<torch::Tensor> average{torch::zeros({1})};
  UpdateAverage(weights, 0.999, 0, average);
  EXPECT_FLOAT_EQ(average[0].item<float>(), 9.F);
}

TEST(AveragingTest, WithoutDecayTheAverageIsTheWeights) {
  torch::manual_seed(1);
  const std::vector<torch::Tensor> weights{torch::randn({3, 2}), torch::randn({5})};
  const std::vector<torch::Tensor> average{torch::randn({3, 2}), torch::randn({5})};
  UpdateAverage(weights, 0, 12, average);
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_TRUE(torch::equal(average[i], weights[i]));
}

TEST(AveragingTest, LeavesTheWeightsAndTheirGradientsAlone) {
  const torch::Tensor parameter = torch::full({1}, 2.F).requires_grad_();
  const std::vector<torch::Tensor> average = CopyWeights({parameter});
  UpdateAverage({parameter}, 0.5, 100, average);
  EXPECT_EQ(parameter.item<float>(), 2.F);
  EXPECT_FALSE(average[0].requires_grad());
}

TEST(AveragingTest, CopiesHaveMemoryOfTheirOwn) {
  const std::vector<torch::Tensor> weights{torch::ones({2})};
  const std::vector<torch::Tensor> copy = CopyWeights(weights);
  weights[0].zero_();
  EXPECT_TRUE(torch::equal(copy[0], torch::ones({2})));
  AssignWeights(copy, weights);
  EXPECT_TRUE(torch::equal(weights[0], torch::ones({2})));
}

TEST(AveragingTest, ExchangingTwiceChangesNothing) {
  const std::vector<torch::Tensor> a{torch::ones({2})};
  const std::vector<torch::Tensor> b{torch::full({2}, 2.F)};
  ExchangeWeights(a, b);
  EXPECT_TRUE(torch::equal(a[0], torch::full({2}, 2.F)));
  EXPECT_TRUE(torch::equal(b[0], torch::ones({2})));
  ExchangeWeights(a, b);
  EXPECT_TRUE(torch::equal(a[0], torch::ones({2})));
}

}  // namespace
}  // namespace hellocnn
