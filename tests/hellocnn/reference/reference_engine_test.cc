#include "hellocnn/reference/reference_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "tests/hellocnn/oracle.h"

namespace hellocnn {
namespace {

std::unique_ptr<Engine> MakeEngine(std::map<std::string, Tensor> tensors) {
  const absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  EXPECT_TRUE(weights.ok()) << weights.status();
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      ReferenceEngineFactory(*weights, Normalization())();
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

ImageView View(const std::vector<float>& image) {
  return {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(image.data())};
}

std::vector<float> RandomImage(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> image(kImagePixels);
  for (float& pixel : image) pixel = normal(random);
  return image;
}

TEST(ReferenceEngineTest, IsTheNetworkWithConvolutionsAsMatrices) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  const testing::Oracle oracle(*Weights::Create(testing::RandomTensors(1)));
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const std::vector<float> image = RandomImage(seed);
    const ImageView view = View(image);
    Prediction prediction;
    ASSERT_TRUE(engine->Classify({&view, 1}, {&prediction, 1}).ok());
    const std::array<double, kClasses> wanted = oracle.LogProbabilities(image);
    for (int k = 0; k < kClasses; ++k) {
      // Sums in another order, in double: apart by a rounding to float at most.
      EXPECT_NEAR(prediction.log_probabilities[k], wanted[k], 2e-6 * std::max(1.0, -wanted[k]));
    }
  }
}

TEST(ReferenceEngineTest, AnImageHasTheSameAnswerInAnyBatch) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  std::vector<std::vector<float>> images;
  std::vector<ImageView> views;
  for (unsigned i = 0; i < 3; ++i) views.push_back(View(images.emplace_back(RandomImage(i))));
  std::vector<Prediction> together(3);
  ASSERT_TRUE(engine->Classify(views, together).ok());
  for (int i = 0; i < 3; ++i) {
    Prediction alone;
    ASSERT_TRUE(engine->Classify({&views[i], 1}, {&alone, 1}).ok());
    EXPECT_EQ(alone.log_probabilities, together[i].log_probabilities);
  }
}

TEST(ReferenceEngineTest, NotANumberIsAnError) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  std::vector<float> image = RandomImage(1);
  image[500] = std::numeric_limits<float>::quiet_NaN();
  const ImageView view = View(image);
  Prediction prediction;
  EXPECT_EQ(engine->Classify({&view, 1}, {&prediction, 1}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ReferenceEngineTest, RefusesABatchOfNoneAndAnotherNumberOfPredictions) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  EXPECT_EQ(engine->Classify({}, {}).code(), absl::StatusCode::kInvalidArgument);
  const std::vector<float> image = RandomImage(1);
  const ImageView view = View(image);
  std::vector<Prediction> predictions(2);
  EXPECT_EQ(engine->Classify({&view, 1}, predictions).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hellocnn
