#include "hellocnn/train/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hellocnn {
namespace {

// Returns log-probabilities of two classes, of which class 0 has `confidence`.
torch::Tensor Confident(const std::vector<double>& confidence) {
  const torch::Tensor first = torch::tensor(confidence, torch::kFloat64);
  return torch::stack({first, 1 - first}, 1).log();
}

TEST(CalibrationTest, ErrorOfASingleBinIsConfidenceMinusAccuracy) {
  // Four images at 95%, of which three are right.
  const torch::Tensor labels = torch::tensor({0, 0, 0, 1}, torch::kInt64);
  EXPECT_NEAR(CalibrationError(Confident({0.95, 0.95, 0.95, 0.95}), labels), 0.20, 1e-12);
}

TEST(CalibrationTest, BinsAreWeightedByTheirImages) {
  // At 95%: 2 of 2 right, 0.05 off. At 75%: 0 of 1 right, 0.75 off.
  const torch::Tensor labels = torch::tensor({0, 0, 1}, torch::kInt64);
  EXPECT_NEAR(CalibrationError(Confident({0.95, 0.95, 0.75}), labels), (2 * 0.05 + 0.75) / 3,
              1e-12);
}

TEST(CalibrationTest, WithinABinTooHighAndTooLowCancel) {
  // Both are in the bin from 14/15 to 1, whose mean is 0.97; half of a right and a wrong one.
  const torch::Tensor labels = torch::tensor({0, 1}, torch::kInt64);
  EXPECT_NEAR(CalibrationError(Confident({0.96, 0.98}), labels), 0.97 - 0.5, 1e-12);
}

TEST(CalibrationTest, ACertainAndRightNetworkHasNoError) {
  const torch::Tensor labels = torch::tensor({0, 0}, torch::kInt64);
  EXPECT_EQ(CalibrationError(Confident({1, 1}), labels), 0);
}

TEST(CalibrationTest, FindsTheTemperatureThatLogitsWereMultipliedBy) {
  // Labels that are drawn from the probabilities fit them at temperature 1.
  torch::manual_seed(3);
  const torch::Tensor logits = 2 * torch::randn({20'000, 4});
  const torch::Tensor labels = torch::softmax(logits, 1).multinomial(1).squeeze(1);
  for (const double factor : {0.5, 1.0, 3.0}) {
    EXPECT_NEAR(FitTemperature(torch::log_softmax(logits * factor, 1), labels), factor,
                0.04 * factor);
  }
}

TEST(CalibrationTest, TheTemperatureIsBounded) {
  const torch::Tensor labels = torch::tensor({0, 0}, torch::kInt64);
  EXPECT_NEAR(FitTemperature(Confident({0.9, 0.8}), labels), 0.25, 1e-3);
  EXPECT_NEAR(FitTemperature(Confident({0.1, 0.2}), labels), 4, 1e-2);
}

TEST(CalibrationTest, DividedLogitsKeepTheClassesAndScaleTheLogits) {
  torch::manual_seed(5);
  HelloCnn network(10);
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::randn({50, 1, 32, 32});
  const torch::Tensor before = network->forward(images);
  DivideLogits(network, 1.7);
  const torch::Tensor after = network->forward(images);
  EXPECT_TRUE(torch::equal(before.argmax(1), after.argmax(1)));
  EXPECT_TRUE(torch::allclose(after, torch::log_softmax(before / 1.7, 1), 1e-5, 1e-5));
  EXPECT_FALSE(torch::allclose(after, before, 1e-5, 1e-5));
}

}  // namespace
}  // namespace hellocnn
