#include "hellocnn/train/distillation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hellocnn/train/teacher.h"

namespace hellocnn {
namespace {

torch::Tensor LogOf(const std::vector<double>& probabilities) {
  return torch::tensor(probabilities, torch::kFloat64).log().unsqueeze(0);
}

Dataset RandomImages(std::int64_t count) {
  torch::manual_seed(17);
  return {torch::randint(0, 256, {count, 1, 32, 32}, torch::kUInt8),
          torch::randint(0, 10, {count}, torch::kInt64)};
}

TEST(DistillationLossTest, IsTheWeightedSumOfBothCrossEntropies) {
  const torch::Tensor label = torch::tensor({1}, torch::kInt64);
  const double soft = -(0.8 * std::log(0.6) + 0.2 * std::log(0.4));
  EXPECT_NEAR(DistillationLoss(LogOf({0.6, 0.4}), LogOf({0.8, 0.2}), label, 1).item<double>(),
              0.9 * soft - 0.1 * std::log(0.4), 1e-12);
}

TEST(DistillationLossTest, TheTemperatureFlattensBoth) {
  // At temperature 2, probabilities are the square roots, normalised: 9:1 becomes 3:1, 4:1 becomes
  // 2:1.
  const torch::Tensor label = torch::tensor({0}, torch::kInt64);
  const double soft = -(0.75 * std::log(2.0 / 3) + 0.25 * std::log(1.0 / 3));
  EXPECT_NEAR(DistillationLoss(LogOf({0.8, 0.2}), LogOf({0.9, 0.1}), label, 2).item<double>(),
              0.9 * 4 * soft - 0.1 * std::log(0.8), 1e-12);
}

TEST(DistillationLossTest, HasNoSoftGradientWhereTheStudentAgrees) {
  const torch::Tensor student = LogOf({0.7, 0.3}).requires_grad_();
  const torch::Tensor label = torch::tensor({0}, torch::kInt64);
  const torch::Tensor normalised = torch::log_softmax(student, 1);
  DistillationLoss(normalised, LogOf({0.7, 0.3}), label, 3).backward();
  // The label alone pulls: 0.1 times the probability minus the label.
  EXPECT_NEAR(student.grad()[0][0].item<double>(), 0.1 * (0.7 - 1), 1e-12);
}

TEST(TaughtCopiesTest, HoldWhatTheTeacherSaysOfTheDistortedImages) {
  const Dataset images = RandomImages(12);
  const Trainee teacher = MakeTeacher(10);
  TaughtCopies copies(teacher, images, 0.5, 2, 1, {});
  const TaughtImages& first = copies.ForEpoch(1);
  EXPECT_EQ(first.images.sizes(), images.images.sizes());
  EXPECT_EQ(first.images.scalar_type(), torch::kUInt8);
  EXPECT_FALSE(torch::equal(first.images, images.images));
  EXPECT_TRUE(torch::equal(first.log_probabilities, LogProbabilities(teacher, first.images, {})));
}

TEST(TaughtCopiesTest, AreTakenInTurn) {
  const Dataset images = RandomImages(12);
  TaughtCopies copies(MakeTeacher(10), images, 0.5, 2, 1, {});
  const torch::Tensor first = copies.ForEpoch(1).images;
  EXPECT_FALSE(torch::equal(copies.ForEpoch(2).images, first));
  EXPECT_TRUE(copies.ForEpoch(3).images.is_same(first));
}

// A resumed run makes the copies in another order.
TEST(TaughtCopiesTest, DoNotDependOnTheOrderInWhichTheyAreMade) {
  const Dataset images = RandomImages(12);
  const Trainee teacher = MakeTeacher(10);
  TaughtCopies forward(teacher, images, 0.5, 2, 1, {});
  TaughtCopies backward(teacher, images, 0.5, 2, 1, {});
  const torch::Tensor first = forward.ForEpoch(1).images;
  const torch::Tensor second = forward.ForEpoch(2).images;
  EXPECT_TRUE(torch::equal(backward.ForEpoch(2).images, second));
  EXPECT_TRUE(torch::equal(backward.ForEpoch(1).images, first));
}

}  // namespace
}  // namespace hellocnn
