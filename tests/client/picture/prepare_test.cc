#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "hellocnn/client/picture.h"

namespace hellocnn::client {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

const Preprocessing kMnist{28, 2, 0.1307F, 0.3081F};
constexpr double kClose = 6;  // grey levels, on average

// Returns a picture whose pixels have the levels that `level` returns, 0 to 65,535.
Picture Paint(int width, int height, const std::function<int(int, int)>& level, int alpha = 65535) {
  Picture picture{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto value = static_cast<std::uint16_t>(level(x, y));
      picture.rgba.insert(picture.rgba.end(),
                          {value, value, value, static_cast<std::uint16_t>(alpha)});
    }
  }
  return picture;
}

// Returns true for the pixels of an L with its corner at (left, top).
bool IsLetter(int x, int y, int left, int top, int size) {
  const int pen = size / 6;
  const bool stem = x >= left && x < left + pen && y >= top && y < top + size;
  const bool foot = x >= left && x < left + size / 2 && y >= top + size - pen && y < top + size;
  return stem || foot;
}

Picture Letter(int width, int height, int left, int top, int size, int paper, int ink) {
  return Paint(width, height,
               [=](int x, int y) { return IsLetter(x, y, left, top, size) ? ink : paper; });
}

PreparedPicture Prepared(const Picture& picture, const PrepareOptions& options = {}) {
  const absl::StatusOr<PreparedPicture> prepared = Prepare(picture, kMnist, options);
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  return prepared.ok() ? *prepared : PreparedPicture();
}

// Returns the mean difference between the pixels of two pictures of 32x32, in grey levels.
double Difference(const PreparedPicture& a, const PreparedPicture& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.grey.size(); ++i) sum += std::abs(int{a.grey[i]} - int{b.grey[i]});
  return sum / kImagePixels;
}

TEST(Prepare, ScalesInkTo20RowsAndCentresItByItsMass) {
  const PreparedPicture prepared = Prepared(Letter(300, 300, 40, 30, 120, 65535, 0));
  EXPECT_EQ(prepared.finding, Finding::kDigit);
  int top = 32;
  int bottom = -1;
  double mass = 0;
  double mass_x = 0;
  double mass_y = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    if (prepared.grey[i] == 0) continue;
    top = std::min(top, i / 32);
    bottom = std::max(bottom, i / 32);
    mass += prepared.grey[i];
    mass_x += (i % 32 + 0.5) * prepared.grey[i];
    mass_y += (i / 32 + 0.5) * prepared.grey[i];
  }
  EXPECT_EQ(bottom - top + 1, 20);
  EXPECT_NEAR(mass_x / mass, 16, 0.5);
  EXPECT_NEAR(mass_y / mass, 16, 0.5);
}

TEST(Prepare, TakesInkOfEitherPolarityAnywhereInAPictureOfAnySize) {
  const PreparedPicture wanted = Prepared(Letter(300, 300, 40, 30, 120, 65535, 0));
  const std::vector<Picture> pictures = {
      Letter(300, 300, 40, 30, 120, 0, 65535),        // light on dark
      Letter(300, 300, 170, 175, 120, 65535, 0),      // in a corner
      Letter(500, 200, 300, 50, 120, 50000, 20000)};  // wide, with less contrast
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const PreparedPicture prepared = Prepared(pictures[i]);
    EXPECT_EQ(prepared.finding, Finding::kDigit) << i << prepared.explanation;
    EXPECT_LE(Difference(prepared, wanted), kClose) << i;
  }
}

TEST(Prepare, TakesInkThatIsCroppedToItsBox) {
  const auto ring = [](int width, int height, int left, int top, int paper, int ink) {
    return Paint(width, height, [=](int x, int y) {
      const double across = (x + 0.5 - left - 40) / 40;
      const double down = (y + 0.5 - top - 60) / 60;
      const double distance = std::sqrt(across * across + down * down);
      return distance <= 1 && distance > 0.65 ? ink : paper;
    });
  };
  const PreparedPicture wanted = Prepared(ring(300, 300, 90, 80, 65535, 0));
  for (const Picture& picture : {ring(80, 120, 0, 0, 65535, 0), ring(80, 120, 0, 0, 0, 65535)}) {
    const PreparedPicture prepared = Prepared(picture);
    EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
    EXPECT_LE(Difference(prepared, wanted), kClose);
  }
}

TEST(Prepare, ToleratesAShadow) {
  const PreparedPicture wanted = Prepared(Letter(300, 300, 90, 80, 120, 65535, 0));
  const PreparedPicture prepared = Prepared(Paint(300, 300, [](int x, int y) {
    const int light = 65535 - x * 120 - y * 60;
    return IsLetter(x, y, 90, 80, 120) ? light / 5 : light;
  }));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
  EXPECT_LE(Difference(prepared, wanted), kClose);
}

TEST(Prepare, LeavesFramesAndSpecksOut) {
  const PreparedPicture wanted = Prepared(Letter(300, 300, 90, 80, 120, 65535, 0));
  const PreparedPicture prepared = Prepared(Paint(300, 300, [](int x, int y) {
    const bool frame = x < 12 || y < 12 || x >= 288 || y >= 288;
    const bool speck = (x == 40 && y == 40) || (x == 250 && y == 260) || (x == 60 && y == 250);
    return frame || speck || IsLetter(x, y, 90, 80, 120) ? 0 : 65535;
  }));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
  EXPECT_LE(Difference(prepared, wanted), kClose);
}

TEST(Prepare, DoesNotTakeSpecksForDigits) {
  // Two equal specks, close to the letter on either side.
  const PreparedPicture prepared = Prepared(Paint(300, 300, [](int x, int y) {
    const bool speck = y >= 100 && y < 103 && ((x >= 113 && x < 116) || (x >= 83 && x < 86));
    return speck || IsLetter(x, y, 90, 80, 120) ? 0 : 65535;
  }));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
}

TEST(Prepare, SeesNoDigitInThousandsOfMarks) {
  const PreparedPicture prepared =
      Prepared(Paint(256, 256, [](int x, int y) { return x % 2 == 0 && y % 2 == 0 ? 0 : 65535; }));
  EXPECT_NE(prepared.finding, Finding::kDigit);
}

TEST(Prepare, ShowsInkOnTransparentBackgroundOfAnyColour) {
  const PreparedPicture wanted = Prepared(Letter(200, 200, 40, 30, 120, 65535, 0));
  for (const int ink : {0, 65535}) {
    for (const int hidden : {0, 65535}) {
      Picture picture = Letter(200, 200, 40, 30, 120, hidden, ink);
      for (int i = 0; i < 200 * 200; ++i)
        picture.rgba[4 * i + 3] = IsLetter(i % 200, i / 200, 40, 30, 120) ? 65535 : 0;
      const PreparedPicture prepared = Prepared(picture);
      EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
      EXPECT_LE(Difference(prepared, wanted), kClose);
    }
  }
}

TEST(Prepare, PutsWhiteBehindTransparentPartsIfItIsToldThatInkIsDark) {
  // Without being told, it takes ink of this grey for light.
  Picture picture = Letter(200, 200, 40, 30, 120, 0, 40000);
  for (int i = 0; i < 200 * 200; ++i)
    picture.rgba[4 * i + 3] = IsLetter(i % 200, i / 200, 40, 30, 120) ? 65535 : 0;
  const PreparedPicture prepared = Prepared(picture, {.dark_ink = true});
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
  EXPECT_LE(Difference(prepared, Prepared(Letter(200, 200, 40, 30, 120, 65535, 0))), kClose);
}

TEST(Prepare, LooksCloserAtASmallDigitInALargePicture) {
  // A square and, under it, two lines that are one pixel apart, or less, once the picture is
  // reduced.
  const auto mark = [](int width, int height, int left, int top, double scale) {
    return Paint(width, height, [=](int x, int y) {
      const int column = static_cast<int>(std::floor((x - left) / scale));
      const int row = static_cast<int>(std::floor((y - top) / scale));
      const bool inside = column >= 0 && column < 20 && row >= 0 && row < 20;
      return inside && (row < 2 || row == 17 || row == 19 || column < 2) ? 0 : 65535;
    });
  };
  const PreparedPicture wanted = Prepared(mark(200, 200, 50, 40, 6));
  const PreparedPicture prepared = Prepared(mark(1000, 1000, 610, 300, 2));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
  EXPECT_LE(Difference(prepared, wanted), 2);
}

TEST(Prepare, TakesAPictureThatIsVeryLongAndThin) {
  const PreparedPicture prepared = Prepared(
      Paint(1, 8'500'000, [](int, int y) { return y > 4'000'000 && y < 5'000'000 ? 0 : 65535; }));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
}

TEST(Prepare, UsesTheFullRangeOf16Bits) {
  // 10 bits of a camera in the lowest of 16.
  Picture picture = Letter(200, 200, 40, 30, 120, 900, 100);
  picture.more_than_8_bits = true;
  EXPECT_EQ(Prepared(picture).finding, Finding::kDigit);
  EXPECT_LE(Difference(Prepared(picture), Prepared(Letter(200, 200, 40, 30, 120, 65535, 0))),
            kClose);
}

TEST(Prepare, SaysThatThereIsNothingToSee) {
  unsigned state = 1;
  const auto noise = [&](int /*x*/, int /*y*/) {
    state = state * 1103515245 + 12345;
    return 40000 + static_cast<int>(state >> 16) % 3000;
  };
  const std::vector<std::pair<Picture, std::string>> pictures = {
      {Letter(200, 200, 0, 0, 0, 65535, 0), "one colour"},
      {Letter(200, 200, 0, 0, 0, 0, 0), "one colour"},
      {Paint(
           200, 200, [](int, int) { return 0; }, 0),
       "one colour"},
      {Paint(1, 1, [](int, int) { return 7; }), "one colour"},
      {Letter(200, 200, 40, 30, 120, 40000, 39600), "differs from its background"},
      {Paint(300, 300, noise), "differs from its background"},
      {Letter(200, 200, 50, 50, 6, 65535, 0),
       "the largest mark has 6 pixels on its longer side; a digit needs at least 7"},
  };
  for (const auto& [picture, why] : pictures) {
    const PreparedPicture prepared = Prepared(picture);
    EXPECT_EQ(prepared.finding, Finding::kNothing) << why;
    EXPECT_THAT(prepared.explanation, HasSubstr("there is nothing to see in this picture: "));
    EXPECT_THAT(prepared.explanation, HasSubstr(why));
    EXPECT_THAT(prepared.grey, Each(0));
    EXPECT_EQ(prepared.grey.size(), std::size_t{kImagePixels});
  }
}

TEST(Prepare, AsksWhetherThereIsMoreThanOneDigit) {
  const auto two = [](int left, int top) {
    return Paint(400, 300, [=](int x, int y) {
      return IsLetter(x, y, 40, 60, 90) || IsLetter(x, y, left, top, 90) ? 0 : 65535;
    });
  };
  for (const Picture& picture :
       {two(110, 60), two(250, 70), two(300, 200), two(45, 200), two(45, 162)}) {
    const PreparedPicture prepared = Prepared(picture);
    EXPECT_EQ(prepared.finding, Finding::kSeveral);
    EXPECT_THAT(prepared.explanation, HasSubstr("more than one digit? Crop the picture to one"));
  }
}

TEST(Prepare, TakesTheStrokeAboveABrokenSixForAPartOfIt) {
  const PreparedPicture prepared = Prepared(Paint(300, 300, [](int x, int y) {
    const bool stroke = x >= 130 && x < 150 && y >= 60 && y < 130;
    const bool outside = x >= 110 && x < 230 && y >= 138 && y < 240;
    const bool inside = x >= 130 && x < 210 && y >= 158 && y < 220;
    return stroke || (outside && !inside) ? 0 : 65535;
  }));
  EXPECT_EQ(prepared.finding, Finding::kDigit) << prepared.explanation;
}

TEST(Prepare, AsIsScalesTheWholePicture) {
  const PrepareOptions as_is{.fit = Fit::kAsIs};
  // A picture of 28x28 is only padded, and one of 32x32 is used as it is.
  const auto ramp = [](int width) {
    return Paint(width, width, [=](int x, int y) { return (y * width + x) % 256 * 257; });
  };
  const std::vector<std::uint8_t> padded = Prepared(ramp(28), as_is).grey;
  EXPECT_EQ(padded[0], 0);
  EXPECT_EQ(padded[2 * 32 + 2 + 5], 5);
  EXPECT_EQ(padded[3 * 32 + 2], 28);
  std::vector<std::uint8_t> whole(kImagePixels);
  std::iota(whole.begin(), whole.end(), 0);
  EXPECT_EQ(Prepared(ramp(32), as_is).grey, whole);
  // The middle of a wide picture is bright, and nothing is above and below it.
  const PreparedPicture wide = Prepared(Paint(56, 28, [](int, int) { return 65535; }), as_is);
  EXPECT_EQ(wide.grey[16 * 32 + 2], 255);
  EXPECT_EQ(wide.grey[8 * 32 + 16], 0);
  const PreparedPicture inverted = Prepared(Paint(28, 28, [](int, int) { return 65535; }),
                                            {.fit = Fit::kAsIs, .dark_ink = true});
  EXPECT_THAT(inverted.grey, Each(0));
}

TEST(Prepare, RejectsWhatItCannotPrepare) {
  const Picture picture = Letter(20, 20, 0, 0, 20, 0, 65535);
  EXPECT_THAT(Prepare(picture, {28, 3, 0, 1}).status().message(), HasSubstr("28 with 3"));
  EXPECT_THAT(Prepare(picture, {2147483647, 2147483647, 0, 1}).status().message(),
              HasSubstr("does not make 32"));
  EXPECT_EQ(Prepare(Picture(), kMnist).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Prepare({2, 2, {1, 2, 3}}, kMnist).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hellocnn::client
