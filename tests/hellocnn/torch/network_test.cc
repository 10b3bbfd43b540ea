#include "hellocnn/torch/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "hellocnn/topology.h"
#include "tests/hellocnn/unrolled_convolution.h"

namespace hellocnn {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

std::span<const float> Values(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

TEST(UnrolledConvolutionTest, WorkedExampleOfTheAssignment) {
  const std::vector<float> input{10, 10, 0, 0, 10, 10, 0, 0, 10, 10, 0, 0, 10, 10, 0, 0};
  const std::vector<float> kernel{-1, 0, 1, -2, 0, 2, -1, 0, 1};
  const std::vector<double> matrix = testing::UnrollKernels(kernel, 1, 3, {1, 4, 4});
  ASSERT_THAT(matrix, SizeIs(4 * 16));
  EXPECT_THAT((std::vector<double>(matrix.begin() + 16, matrix.begin() + 32)),
              ElementsAre(0, -1, 0, 1, 0, -2, 0, 2, 0, -1, 0, 1, 0, 0, 0, 0));
  EXPECT_THAT(testing::Multiply(matrix, input), ElementsAre(-40, -40, -40, -40));
}

TEST(NetworkTest, ConvolvesTheWorkedExampleOfTheAssignment) {
  const torch::Tensor input = torch::tensor({10.F, 10.F, 0.F, 0.F}).repeat({4}).view({1, 1, 4, 4});
  const torch::Tensor kernel =
      torch::tensor({-1.F, 0.F, 1.F, -2.F, 0.F, 2.F, -1.F, 0.F, 1.F}).view({1, 1, 3, 3});
  const torch::Tensor result = torch::conv2d(input, kernel);
  EXPECT_EQ(result.sizes(), (std::vector<std::int64_t>{1, 1, 2, 2}));
  EXPECT_THAT(Values(result), Each(-40.F));
}

// Compares every convolution of the network, as the module computes it, with its unrolled matrix.
TEST(NetworkTest, EveryConvolutionEqualsItsUnrolledMatrix) {
  torch::manual_seed(4);
  HelloCnn network(10);
  const auto conv =
      std::dynamic_pointer_cast<torch::nn::SequentialImpl>(network->named_children()["conv"]);
  ASSERT_NE(conv, nullptr);
  int checked = 0;
  const auto table = PlaceLayers(10);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const PlacedLayer& placed = table[i];
    if (placed.layer.kind != Layer::Kind::kConv2d) continue;
    SCOPED_TRACE(placed.layer.name);
    auto& module = conv->at<torch::nn::Conv2dImpl>(i);
    const torch::Tensor input =
        torch::randn({1, placed.input.channels, placed.input.height, placed.input.width});
    const torch::NoGradGuard no_grad;
    const torch::Tensor output = module.forward(input).contiguous();
    const std::vector<double> wanted =
        testing::Multiply(testing::UnrollKernels(Values(module.weight), placed.layer.outputs,
                                                 placed.layer.window, placed.input),
                          Values(input));
    ASSERT_EQ(static_cast<std::size_t>(output.numel()), wanted.size());
    const std::size_t positions = wanted.size() / static_cast<std::size_t>(placed.layer.outputs);
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      const double bias = Values(module.bias)[k / positions];
      ASSERT_NEAR(Values(output)[k], wanted[k] + bias, 2e-5) << "output " << k;
    }
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}

TEST(NetworkTest, HasTheTensorsOfTheLayerTableInItsOrder) {
  HelloCnn network(10);
  const auto parameters = network->named_parameters();
  const std::vector<TensorSpec> specs = WeightTensors(10);
  ASSERT_EQ(parameters.size(), specs.size());
  std::int64_t total = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(parameters[i].key(), specs[i].name);
    EXPECT_EQ(parameters[i].value().sizes(), specs[i].shape);
    total += parameters[i].value().numel();
  }
  EXPECT_EQ(total, 61'706);
}

TEST(NetworkTest, PoolingByDoublingIsBitIdenticalToTheWindow) {
  torch::manual_seed(5);
  for (const auto& [window, side] : {std::pair{15, 28}, {6, 10}, {1, 4}, {7, 7}}) {
    torch::Tensor x = torch::randn({3, 2, side, side});
    x[0][0][0][0] = -0.0F;
    x[1][1][side - 1][0] = std::numeric_limits<float>::max();
    EXPECT_TRUE(torch::equal(MaxPoolByDoubling(x, window), torch::max_pool2d(x, window, 1)))
        << window;
  }
}

TEST(NetworkTest, PoolingWithGradientIsBitIdenticalAndHasTheGradientOfTheWindow) {
  torch::manual_seed(9);
  for (const auto& [window, height, width] :
       {std::tuple{15, 28, 28}, {6, 10, 10}, {1, 4, 5}, {7, 7, 9}, {3, 40, 3}}) {
    SCOPED_TRACE(window);
    const torch::Tensor x = torch::randn({3, 2, height, width}).requires_grad_();
    const torch::Tensor y = x.detach().clone().requires_grad_();
    const torch::Tensor pooled = MaxPoolWithGradient(x, window);
    const torch::Tensor wanted = torch::max_pool2d(y, window, 1);
    EXPECT_TRUE(torch::equal(pooled, wanted));
    // Small integers, whose sums are exact in any order.
    const torch::Tensor gradient = torch::randint(-8, 9, wanted.sizes(), torch::kFloat32);
    pooled.backward(gradient);
    wanted.backward(gradient);
    EXPECT_TRUE(torch::equal(x.grad(), y.grad()));
  }
}

TEST(NetworkTest, OneOfEqualPixelsGetsTheGradient) {
  const torch::Tensor x = torch::ones({1, 1, 3, 3}).requires_grad_();
  MaxPoolWithGradient(x, 2).sum().backward();
  EXPECT_THAT(Values(x.grad().contiguous()), ElementsAre(1, 1, 0, 1, 1, 0, 0, 0, 0));
}

TEST(NetworkTest, FastKernelsComputeTheSame) {
  torch::manual_seed(6);
  HelloCnn as_written(10, Kernels::kAsWritten);
  HelloCnn fast(10, Kernels::kFast);
  const absl::StatusOr<Weights> weights = GetWeights(as_written);
  ASSERT_TRUE(weights.ok()) << weights.status();
  SetWeights(fast, *weights);
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::randn({5, 1, 32, 32});
  // The results differ by the order of the sums in the dense layers.
  EXPECT_TRUE(torch::allclose(as_written->forward(images), fast->forward(images), 1e-6, 1e-6));
}

TEST(NetworkTest, OneImageWorksAsWellAsMany) {
  torch::manual_seed(7);
  HelloCnn network(10);
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::randn({9, 1, 32, 32});
  const torch::Tensor together = network->forward(images);
  EXPECT_EQ(together.sizes(), (std::vector<std::int64_t>{9, 10}));
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const torch::Tensor alone = network->forward(images.narrow(0, i, 1));
    ASSERT_EQ(alone.sizes(), (std::vector<std::int64_t>{1, 10}));
    EXPECT_LT((alone[0] - together[i]).abs().max().item<float>(), 1e-5F);
  }
}

}  // namespace
}  // namespace hellocnn
