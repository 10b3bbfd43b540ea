#include "hellocnn/weight_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>

#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Weights of 0.5, one of which is changed.
Weights MakeWeights(const std::string& tensor, std::size_t index, float value) {
  std::map<std::string, Tensor> tensors;
  for (const TensorSpec& spec : WeightTensors(10)) {
    tensors[spec.name] = {spec.shape,
                          std::vector<float>(static_cast<std::size_t>(spec.size()), 0.5F)};
  }
  tensors[tensor].values[index] = value;
  return Weights::Create(std::move(tensors)).value();
}

std::string ErrorOf(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(WeightBoundsTest, WeightsOfTheUsualSizeAreFine) {
  EXPECT_TRUE(CheckStaysFinite(MakeWeights("conv.0.bias", 0, -1000.0F), Normalization()).ok());
}

TEST(WeightBoundsTest, OverflowingWeightIsNamedWithItsTensorAndPosition) {
  EXPECT_THAT(
      ErrorOf(CheckStaysFinite(MakeWeights("conv.3.weight", 17, -1e38F), Normalization())),
      AllOf(HasSubstr("tensor conv.3.weight: value 17 is -1e+38"), HasSubstr("layer conv.3")));
}

TEST(WeightBoundsTest, WeightIsNamedEvenIfOnlyALaterLayerOverflows) {
  EXPECT_THAT(
      ErrorOf(CheckStaysFinite(MakeWeights("conv.0.weight", 149, 1e35F), Normalization())),
      AllOf(HasSubstr("tensor conv.0.weight: value 149 is 1e+35"), HasSubstr("layer conv.6")));
}

TEST(WeightBoundsTest, BiasOfTheLastLayerMayNotOverflowTheSoftmax) {
  const float most = std::numeric_limits<float>::max();
  EXPECT_THAT(ErrorOf(CheckStaysFinite(MakeWeights("linear.2.bias", 9, -most), Normalization())),
              HasSubstr("tensor linear.2.bias: value 9"));
}

TEST(WeightBoundsTest, NormalizationThatOverflowsByItselfIsNamed) {
  EXPECT_THAT(ErrorOf(CheckStaysFinite(MakeWeights("conv.0.bias", 0, 0.5F),
                                       {100.0F, std::numeric_limits<float>::min()})),
              HasSubstr("preprocessing.standard_deviation is 1.17549e-38"));
}

}  // namespace
}  // namespace hellocnn
