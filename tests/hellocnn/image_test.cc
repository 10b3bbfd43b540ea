#include "hellocnn/image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace hellocnn {
namespace {

TEST(ImageTest, GreyLevelsAreNormalizedWithMeanAndDeviation) {
  std::vector<std::byte> pixels(kImagePixels);
  for (int i = 0; i < kImagePixels; ++i) pixels[i] = static_cast<std::byte>(i % 256);
  std::vector<float> out(kImagePixels);
  NormalizeImage({PixelFormat::kGray8, pixels.data()}, Normalization(), out.data());
  for (int i = 0; i < kImagePixels; ++i) {
    EXPECT_FLOAT_EQ(out[i], (static_cast<float>(i % 256) / 255.0F - 0.1307F) / 0.3081F) << i;
  }
}

TEST(ImageTest, BlackAndWhiteHaveTheKnownValuesOfMnist) {
  EXPECT_NEAR(Normalization()(0), -0.42421296F, 1e-6F);
  EXPECT_NEAR(Normalization()(255), 2.8214867F, 1e-6F);
}

TEST(ImageTest, NormalizationIsTheOneGiven) {
  std::vector<std::byte> pixels(kImagePixels, std::byte{255});
  std::vector<float> out(kImagePixels);
  NormalizeImage({PixelFormat::kGray8, pixels.data()}, Normalization{0.5F, 0.25F}, out.data());
  for (const float value : out) ASSERT_FLOAT_EQ(value, 2.0F);
}

TEST(ImageTest, FloatsPassUnchangedFromAnyAddress) {
  std::vector<float> in(kImagePixels);
  for (int i = 0; i < kImagePixels; ++i) in[i] = static_cast<float>(i) * -0.37F;
  std::vector<std::byte> bytes(1 + BytesPerImage(PixelFormat::kFloat32));
  std::memcpy(bytes.data() + 1, in.data(), BytesPerImage(PixelFormat::kFloat32));
  std::vector<float> out(kImagePixels);
  NormalizeImage({PixelFormat::kFloat32, bytes.data() + 1}, Normalization(), out.data());
  EXPECT_EQ(out, in);
}

TEST(ImageTest, SizesAreThoseOfTheFormats) {
  EXPECT_EQ(BytesPerImage(PixelFormat::kGray8), 1024U);
  EXPECT_EQ(BytesPerImage(PixelFormat::kFloat32), 4096U);
}

}  // namespace
}  // namespace hellocnn
