#include "cli/images/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::cli {
namespace {

using client::Preprocessing;
using ::testing::Each;
using ::testing::HasSubstr;
using Pixels = std::vector<std::uint8_t>;

const Preprocessing kMnist{28, 2, 0.1307F, 0.3081F};

SourceImage File(const std::string& bytes) { return {"the-file", 0, 1, absl::OkStatus(), bytes}; }

std::string Rejection(const SourceImage& source, const FitOptions& options = {}) {
  const absl::Status status = FitImage(source, kMnist, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the-file"));
  return std::string(status.message());
}

FittedImage Fit(const SourceImage& source, const FitOptions& options = {}) {
  absl::StatusOr<FittedImage> fitted = FitImage(source, kMnist, options);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  return fitted.ok() ? *std::move(fitted) : FittedImage();
}

TEST(FitGrey, OnlyPadsContentOfTheRightSize) {
  Pixels pixels(784);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  const Pixels padded = FitGrey(pixels, 28, 28, kMnist).value();
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool inside = x >= 2 && x < 30 && y >= 2 && y < 30;
      EXPECT_EQ(padded[y * 32 + x], inside ? pixels[(y - 2) * 28 + x - 2] : 0);
    }
  }
}

TEST(FitGrey, ScalesOtherSizesAndUses32x32AsItIs) {
  const Pixels whole(1024, 9);
  EXPECT_EQ(FitGrey(whole, 32, 32, kMnist).value(), whole);
  const Pixels scaled = FitGrey(Pixels(14 * 7, 255), 14, 7, kMnist).value();
  EXPECT_EQ(scaled[16 * 32 + 16], 255);
  EXPECT_EQ(scaled[4 * 32 + 16], 0);
  EXPECT_FALSE(FitGrey(Pixels(), 0, 0, kMnist).ok());
  EXPECT_FALSE(FitGrey(Pixels(784), 28, 28, {28, 3, 0, 1}).ok());
  EXPECT_FALSE(FitGrey(Pixels(10), 28, 28, kMnist).ok());
}

TEST(FitImage, TakesRawPixelsOnlyWhenItIsTold) {
  for (const std::size_t size : {784, 1024, 4096}) {
    const std::string bytes(size, '\0');
    EXPECT_THAT(Rejection(File(bytes)), HasSubstr("say --raw"));
    EXPECT_TRUE(Fit(File(bytes), {.raw = true}).image.has_value());
  }
  EXPECT_THAT(Rejection(File(std::string(783, 'x')), {.raw = true}), HasSubstr("not 783"));
  EXPECT_THAT(Rejection(File(std::string(783, 'x'))), testing::Not(HasSubstr("--raw")));
  EXPECT_THAT(Fit(File(std::string(784, '\5')), {.raw = true, .invert = true}).grey[16 * 32 + 16],
              250);
  EXPECT_TRUE(Fit(File(std::string(4096, '\0')), {.raw = true}).image->is_float32());
  EXPECT_THAT(Rejection(File(std::string(4096, '\xff')), {.raw = true}), HasSubstr("finite"));
  EXPECT_THAT(Rejection(File(std::string(4096, '\0')), {.raw = true, .invert = true}),
              HasSubstr("--invert"));
}

TEST(FitImage, DrawsRawFloatsAsTheGreyLevelsThatTheyWere) {
  std::string bytes(4096, '\0');
  const float white = (1 - kMnist.mean) / kMnist.standard_deviation;
  std::memcpy(bytes.data(), &white, sizeof white);
  const FittedImage fitted = Fit(File(bytes), {.raw = true});
  EXPECT_EQ(fitted.grey[0], 255);
  EXPECT_EQ(fitted.grey[1], 33);  // 0 is the mean
}

TEST(FitImage, FitsPicturesAsMnistAndDataSetsAsTheyAre) {
  // A bright square in a corner.
  std::string bytes(784, '\0');
  for (int y = 2; y < 12; ++y) bytes.replace(y * 28 + 2, 3, 3, '\xff');
  const SourceImage picture = File("P5 28 28 255\n" + bytes);
  const SourceImage data{"the-file", 3, 10, absl::OkStatus(), bytes, 28, 28};
  const Pixels found = Fit(picture).grey;
  EXPECT_EQ(found[16 * 32 + 16], 255);
  EXPECT_EQ(found[5 * 32 + 5], 0);
  const Pixels as_is = Fit(data).grey;
  EXPECT_EQ(as_is[16 * 32 + 16], 0);
  EXPECT_EQ(as_is[5 * 32 + 5], 255);
  EXPECT_EQ(Fit(picture, {.fit = client::Fit::kAsIs}).grey, as_is);
  EXPECT_EQ(Fit(data, {.fit = client::Fit::kMnist}).grey, found);
}

TEST(FitImage, SendsNothingWhereThereIsNothingToSee) {
  const FittedImage blank = Fit(File("P5 28 28 255\n" + std::string(784, '\7')));
  EXPECT_EQ(blank.finding, client::Finding::kNothing);
  EXPECT_FALSE(blank.image.has_value());
  EXPECT_THAT(blank.grey, Each(0));
}

TEST(FitImage, ErrorsNameTheFile) {
  const SourceImage image{"the-file", 0, 2, absl::OkStatus(), std::string(784, '\0'), 28, 28};
  const absl::Status status = FitImage(image, {28, 3, 0, 1}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::StartsWith("the-file: "));
}

TEST(LooksDarkOnLight, GoesByTheBorderOfTheContent) {
  const std::string bright(784, '\xff');
  const SourceImage source{"the-file", 0, 2, absl::OkStatus(), bright, 28, 28};
  EXPECT_TRUE(LooksDarkOnLight(Fit(source).grey, kMnist));
  EXPECT_FALSE(LooksDarkOnLight(Fit(source, {.invert = true}).grey, kMnist));
}

}  // namespace
}  // namespace hellocnn::cli
