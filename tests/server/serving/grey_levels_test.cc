#include "server/serving/grey_levels.h"

#include <array>
#include <limits>
#include <numeric>

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

constexpr Normalization kMnist;

using Grey = std::array<unsigned char, kImagePixels>;

ImageView View(const Grey& image) {
  return {PixelFormat::kGray8, reinterpret_cast<const std::byte*>(image.data())};
}

TEST(GreyLevelsTest, BlackWhiteAndHalfAndHalf) {
  Grey image{};
  EXPECT_EQ(MeasureGreyLevels(View(image), kMnist).mean, 0);
  EXPECT_EQ(MeasureGreyLevels(View(image), kMnist).contrast, 0);
  image.fill(255);
  EXPECT_DOUBLE_EQ(MeasureGreyLevels(View(image), kMnist).mean, 1);
  EXPECT_DOUBLE_EQ(MeasureGreyLevels(View(image), kMnist).contrast, 0);
  for (std::size_t i = 0; i < image.size(); i += 2) image[i] = 0;
  EXPECT_DOUBLE_EQ(MeasureGreyLevels(View(image), kMnist).mean, 0.5);
  EXPECT_DOUBLE_EQ(MeasureGreyLevels(View(image), kMnist).contrast, 0.5);
}

TEST(GreyLevelsTest, NormalizedFloatsMeasureAsTheGreyLevelsThatTheyCameFrom) {
  Grey grey;
  std::iota(grey.begin(), grey.end(), static_cast<unsigned char>(3));
  std::array<float, kImagePixels> floats;
  for (std::size_t i = 0; i < grey.size(); ++i) floats[i] = kMnist(grey[i]);
  const GreyLevels wanted = MeasureGreyLevels(View(grey), kMnist);
  const GreyLevels measured = MeasureGreyLevels(
      {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(floats.data())}, kMnist);
  EXPECT_NEAR(measured.mean, wanted.mean, 1e-6);
  EXPECT_NEAR(measured.contrast, wanted.contrast, 1e-6);
}

TEST(GreyLevelsTest, FloatsBeyondWhiteAreHeldWithinTheRange) {
  std::array<float, kImagePixels> floats;
  floats.fill(std::numeric_limits<float>::max());
  floats[0] = std::numeric_limits<float>::lowest();
  const GreyLevels measured = MeasureGreyLevels(
      {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(floats.data())}, kMnist);
  EXPECT_EQ(measured.mean, 1);
  EXPECT_EQ(measured.contrast, 1);
}

}  // namespace
}  // namespace hellocnn::server
