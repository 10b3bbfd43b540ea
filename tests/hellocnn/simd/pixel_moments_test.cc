#include "hellocnn/simd/pixel_moments.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/hellocnn/simd/instruction_sets.h"

namespace hellocnn::simd {
namespace {

// Pixels that begin at an odd address.
template <typename Value>
class Pixels {
 public:
  explicit Pixels(const std::array<Value, kImagePixels>& values) : bytes_(sizeof(values) + 1) {
    std::memcpy(bytes_.data() + 1, values.data(), sizeof(values));
  }
  ImageView view() const {
    return {sizeof(Value) == 1 ? PixelFormat::kGray8 : PixelFormat::kFloat32, bytes_.data() + 1};
  }

 private:
  std::vector<std::byte> bytes_;
};

using Gray8 = std::array<unsigned char, kImagePixels>;
using Float32 = std::array<float, kImagePixels>;

class PixelMomentsTest : public testing::OnInstructionSet {};

TEST_P(PixelMomentsTest, GreyLevelsAreMeasuredExactly) {
  Gray8 grey;
  // Each level from 0 to 255 occurs four times.
  std::iota(grey.begin(), grey.end(), static_cast<unsigned char>(0));
  const PixelMoments moments = MeasurePixels(Pixels(grey).view());
  EXPECT_EQ(moments.mean, 127.5);
  EXPECT_EQ(moments.mean_of_squares, 255.0 * 256 * 511 / 6 / 256);
}

TEST_P(PixelMomentsTest, EachPixelCountsOnce) {
  for (std::size_t i = 0; i < kImagePixels; ++i) {
    Gray8 grey{};
    grey[i] = 255;
    const PixelMoments moments = MeasurePixels(Pixels(grey).view());
    ASSERT_EQ(moments.mean, 255.0 / kImagePixels) << i;
    ASSERT_EQ(moments.mean_of_squares, 255.0 * 255 / kImagePixels) << i;
    Float32 floats{};
    floats[i] = -3;
    const PixelMoments of_floats = MeasurePixels(Pixels(floats).view());
    ASSERT_EQ(of_floats.mean, -3.0 / kImagePixels) << i;
    ASSERT_EQ(of_floats.mean_of_squares, 9.0 / kImagePixels) << i;
  }
}

TEST_P(PixelMomentsTest, WhiteDoesNotOverflow) {
  Gray8 grey;
  grey.fill(255);
  EXPECT_EQ(MeasurePixels(Pixels(grey).view()).mean, 255);
  EXPECT_EQ(MeasurePixels(Pixels(grey).view()).mean_of_squares, 255 * 255);
}

TEST_P(PixelMomentsTest, LargestFloatsDoNotOverflow) {
  Float32 floats;
  floats.fill(std::numeric_limits<float>::max());
  const double largest{std::numeric_limits<float>::max()};
  const PixelMoments moments = MeasurePixels(Pixels(floats).view());
  EXPECT_EQ(moments.mean, largest);
  EXPECT_NEAR(moments.mean_of_squares / (largest * largest), 1, 1e-12);  // sums of squares round
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, PixelMomentsTest,
                         ::testing::ValuesIn(testing::InstructionSets()),
                         testing::InstructionSetName);

}  // namespace
}  // namespace hellocnn::simd
