#include "cli/images/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace hellocnn::cli {
namespace {

using client::Preprocessing;
using Pixels = std::vector<std::uint8_t>;

const Preprocessing kMnist{28, 2, 0.1307F, 0.3081F};

Picture Filled(int width, int height, std::uint8_t level) {
  return {width, height, Pixels(std::size_t(width) * height, level), {}};
}

// Returns the smallest box around the pixels that are not black: left, top, right, bottom. The last
// two are inclusive.
std::array<int, 4> Box(const Pixels& fitted) {
  std::array<int, 4> box{32, 32, -1, -1};
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      if (fitted[y * 32 + x] == 0) continue;
      box = {std::min(box[0], x), std::min(box[1], y), std::max(box[2], x), std::max(box[3], y)};
    }
  }
  return box;
}

TEST(FitGrey, TakesAPictureOf32x32AsItIs) {
  Picture picture = Filled(32, 32, 0);
  std::iota(picture.grey.begin(), picture.grey.end(), 0);
  EXPECT_EQ(FitGrey(picture, kMnist).value(), picture.grey);
}

TEST(FitGrey, OnlyPadsContentOfTheRightSize) {
  Picture picture = Filled(28, 28, 0);
  std::iota(picture.grey.begin(), picture.grey.end(), 1);
  const Pixels fitted = FitGrey(picture, kMnist).value();
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool inside = x >= 2 && x < 30 && y >= 2 && y < 30;
      EXPECT_EQ(fitted[y * 32 + x], inside ? picture.grey[(y - 2) * 28 + x - 2] : 0);
    }
  }
}

TEST(FitGrey, KeepsProportionsAndCentres) {
  EXPECT_EQ(Box(FitGrey(Filled(280, 280, 9), kMnist).value()), (std::array<int, 4>{2, 2, 29, 29}));
  EXPECT_EQ(Box(FitGrey(Filled(280, 140, 9), kMnist).value()), (std::array<int, 4>{2, 9, 29, 22}));
  EXPECT_EQ(Box(FitGrey(Filled(10, 20, 9), kMnist).value()), (std::array<int, 4>{9, 2, 22, 29}));
  EXPECT_EQ(Box(FitGrey(Filled(1, 5000, 9), kMnist).value()), (std::array<int, 4>{15, 2, 15, 29}));
}

TEST(FitGrey, AveragesTheAreaOfEachPixel) {
  Picture picture = Filled(56, 56, 0);
  picture.grey[0] = 200;  // a quarter of the first pixel
  picture.grey[2] = 100;  // half of the second, with the one below
  picture.grey[56 + 3] = 100;
  const Pixels fitted = FitGrey(picture, kMnist).value();
  EXPECT_EQ(fitted[2 * 32 + 2], 50);
  EXPECT_EQ(fitted[2 * 32 + 3], 50);
  EXPECT_EQ(fitted[2 * 32 + 4], 0);
}

TEST(FitGrey, KeepsTheMeanWhenSizesDoNotDivide) {
  Picture picture = Filled(45, 45, 0);
  for (std::size_t i = 0; i < picture.grey.size(); ++i)
    picture.grey[i] = static_cast<std::uint8_t>(i * 37 % 256);
  const Pixels fitted = FitGrey(picture, kMnist).value();
  const double before = std::accumulate(picture.grey.begin(), picture.grey.end(), 0.0) / (45 * 45);
  const double after = std::accumulate(fitted.begin(), fitted.end(), 0.0) / (28 * 28);
  EXPECT_NEAR(before, after, 0.2);
}

TEST(FitGrey, EnlargingKeepsSharpEdges) {
  Picture picture{2, 2, {255, 0, 0, 255}, {}};
  const Pixels fitted = FitGrey(picture, kMnist).value();
  EXPECT_EQ(fitted[2 * 32 + 2], 255);
  EXPECT_EQ(fitted[15 * 32 + 15], 255);
  EXPECT_EQ(fitted[15 * 32 + 16], 0);
  EXPECT_EQ(fitted[16 * 32 + 16], 255);
}

TEST(FitGrey, FollowsTheModelsPreprocessing) {
  EXPECT_EQ(Box(FitGrey(Filled(100, 100, 9), {20, 6, 0, 1}).value()),
            (std::array<int, 4>{6, 6, 25, 25}));
  for (const auto& [content, padding] :
       {std::pair{28, 3}, {0, 16}, {34, -1}, {2147483647, 2147483647}}) {
    EXPECT_EQ(FitGrey(Filled(9, 9, 9), {content, padding, 0, 1}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(FitGrey(Picture{}, kMnist).ok());
}

TEST(ToImage, SendsNormalisedPixelsAsFloats) {
  Picture picture{32, 32, {}, std::vector<float>(1024, 2.8215F)};
  EXPECT_TRUE(ToImage(picture, kMnist).value().is_float32());
  EXPECT_FALSE(ToImage(Filled(5, 5, 5), kMnist).value().is_float32());
  EXPECT_THAT(ToPreview(picture, kMnist).value(), testing::Each(255));
}

}  // namespace
}  // namespace hellocnn::cli
