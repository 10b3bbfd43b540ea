#include "hellocnn/reference/reference_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "tests/hellocnn/oracle.h"
#include "tests/testing/classify.h"

namespace hellocnn {
namespace {

using testing::Classified;
using testing::Classify;
using ::testing::Each;

MATCHER(InvalidArgument, "") { return absl::IsInvalidArgument(arg); }

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
  for (const int classes : {10, 2, 26, 1024}) {
    const auto engine = MakeEngine(testing::RandomTensors(1, classes));
    const testing::Oracle oracle(*Weights::Create(testing::RandomTensors(1, classes)));
    ASSERT_EQ(engine->classes(), classes);
    for (unsigned seed = 1; seed <= (classes == 10 ? 5 : 1); ++seed) {
      const std::vector<float> image = RandomImage(seed);
      const Classified found = Classify(*engine, View(image));
      ASSERT_TRUE(found.status().ok());
      const std::vector<double> wanted = oracle.LogProbabilities(image);
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        // Both compute sums in double, in different orders. The results differ by at most one
        // rounding to float.
        EXPECT_NEAR(found.log_probabilities[k], wanted[k], 2e-6 * std::max(1.0, -wanted[k]));
      }
    }
  }
}

TEST(ReferenceEngineTest, AnImageHasTheSameRowInAnyBatch) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  std::vector<std::vector<float>> images;
  std::vector<ImageView> views;
  for (unsigned i = 0; i < 3; ++i) images.push_back(RandomImage(i));
  for (const std::vector<float>& image : images) views.push_back(View(image));
  const Classified together = Classify(*engine, views);
  ASSERT_TRUE(together.status().ok());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Classify(*engine, views[i]).log_probabilities, together.row(i));
  }
}

TEST(ReferenceEngineTest, NotANumberIsAnErrorOfItsOwnImage) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  const std::vector<float> good = RandomImage(1);
  std::vector<float> bad = good;
  bad[500] = std::numeric_limits<float>::quiet_NaN();
  const Classified found = Classify(*engine, std::vector{View(good), View(bad), View(good)});
  EXPECT_TRUE(found.statuses[0].ok());
  EXPECT_EQ(found.statuses[1].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(found.statuses[2].ok());
  EXPECT_EQ(found.row(2), Classify(*engine, View(good)).log_probabilities);
}

TEST(ReferenceEngineTest, RejectsABatchOfNoneAndSpansOfTheWrongSize) {
  const auto engine = MakeEngine(testing::RandomTensors(1));
  std::vector<absl::Status> statuses(2);
  engine->Classify({}, {}, statuses);
  EXPECT_THAT(statuses, Each(InvalidArgument()));
  const std::vector<float> image = RandomImage(1);
  const ImageView view = View(image);
  std::vector<float> rows(20, 7);
  engine->Classify({&view, 1}, rows, std::span(statuses).first(1));
  EXPECT_THAT(statuses[0], InvalidArgument());
  statuses.assign(2, absl::OkStatus());
  engine->Classify({&view, 1}, std::span(rows).first(10), statuses);
  EXPECT_THAT(statuses, Each(InvalidArgument()));
  EXPECT_THAT(rows, Each(7.0F));
}

}  // namespace
}  // namespace hellocnn
