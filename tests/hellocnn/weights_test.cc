#include "hellocnn/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::map<std::string, Tensor> GoodTensors(int classes = 10) {
  std::map<std::string, Tensor> tensors;
  float next = 0;
  for (const TensorSpec& spec : WeightTensors(classes)) {
    Tensor& tensor = tensors[spec.name];
    tensor.shape = spec.shape;
    for (std::int64_t i = 0; i < spec.size(); ++i) tensor.values.push_back(next += 0.5F);
  }
  return tensors;
}

std::string ErrorOf(std::map<std::string, Tensor> tensors) {
  const absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  EXPECT_EQ(weights.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(weights.status().message());
}

TEST(CountValuesTest, NeitherOverflowsNorPassesTheLimit) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(CountValues({}, 1), 1);
  EXPECT_EQ(CountValues({2, 3, 4}, 24), 24);
  EXPECT_EQ(CountValues({2, 3, 4}, 23), -1);
  EXPECT_EQ(CountValues({kMost, 1}, kMost), kMost);
  EXPECT_EQ(CountValues({kMost, 2}, kMost), -1);
  EXPECT_EQ(CountValues({std::int64_t{1} << 32, std::int64_t{1} << 32}, kMost), -1);
  EXPECT_EQ(CountValues({kMost, kMost, 0}, 0), 0);
}

TEST(WeightsTest, GoodTensorsAreFoundByName) {
  const absl::StatusOr<Weights> weights = Weights::Create(GoodTensors());
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ((*weights)["conv.0.weight"].size(), 150U);
  EXPECT_EQ((*weights)["conv.0.weight"][0], 0.5F);
  EXPECT_EQ((*weights)["conv.0.bias"][0], 75.5F);
  EXPECT_EQ(weights->tensors().size(), 10U);
}

TEST(WeightsTest, MissingTensorIsNamed) {
  auto tensors = GoodTensors();
  tensors.erase("linear.0.bias");
  EXPECT_THAT(ErrorOf(tensors), AllOf(HasSubstr("linear.0.bias"), HasSubstr("[84]")));
}

TEST(WeightsTest, ExtraTensorIsNamed) {
  auto tensors = GoodTensors();
  tensors["conv.9.bias"] = {{2}, {1, 2}};
  EXPECT_THAT(ErrorOf(tensors), HasSubstr("conv.9.bias does not belong to HelloCNN"));
}

TEST(WeightsTest, ShapeMustBeRightEvenIfTheCountIs) {
  auto tensors = GoodTensors();
  tensors["linear.2.weight"].shape = {84, 10};
  EXPECT_THAT(ErrorOf(tensors), AllOf(HasSubstr("linear.2.weight"), HasSubstr("[84, 10]"),
                                      HasSubstr("[classes, 84]")));
}

TEST(WeightsTest, TheLastLayerSaysHowManyClassesThereAre) {
  for (const int classes : {kMinClasses, 26, kMaxClasses}) {
    const absl::StatusOr<Weights> weights = Weights::Create(GoodTensors(classes));
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(weights->classes(), classes);
    EXPECT_EQ((*weights)["linear.2.bias"].size(), static_cast<std::size_t>(classes));
  }
}

TEST(WeightsTest, ClassesAreTwoToAThousandAndTwentyFour) {
  EXPECT_THAT(ErrorOf(GoodTensors(1)),
              AllOf(HasSubstr("linear.2.weight has shape [1, 84]"), HasSubstr("2 to 1024")));
  EXPECT_THAT(ErrorOf(GoodTensors(1025)),
              AllOf(HasSubstr("linear.2.weight has shape [1025, 84]"), HasSubstr("2 to 1024")));
}

TEST(WeightsTest, BiasMustHaveAsManyClassesAsTheWeight) {
  auto tensors = GoodTensors(26);
  tensors["linear.2.bias"] = GoodTensors(10).at("linear.2.bias");
  EXPECT_THAT(ErrorOf(tensors),
              AllOf(HasSubstr("linear.2.bias has shape [10]"), HasSubstr("wanted [26] and 26")));
}

TEST(WeightsTest, MissingClassWeightsAreNamed) {
  auto tensors = GoodTensors();
  tensors.erase("linear.2.weight");
  EXPECT_THAT(ErrorOf(tensors),
              AllOf(HasSubstr("linear.2.weight is missing"), HasSubstr("[classes, 84]")));
}

TEST(WeightsTest, CountMustAgreeWithTheShape) {
  auto tensors = GoodTensors();
  tensors["conv.3.bias"].values.pop_back();
  EXPECT_THAT(ErrorOf(tensors), AllOf(HasSubstr("conv.3.bias"), HasSubstr("15 values")));
}

TEST(WeightsTest, EveryValueMustBeFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    auto tensors = GoodTensors();
    tensors["linear.2.bias"].values[3] = bad;
    EXPECT_THAT(ErrorOf(tensors), AllOf(HasSubstr("linear.2.bias"), HasSubstr("value 3")));
  }
}

}  // namespace
}  // namespace hellocnn
