#include "server/rpc/classifier_v1/image_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hellocnn/image.h"

namespace hellocnn::server {
namespace {

using Kind = ImageContent::Kind;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A stroke of light ink on black, as a file of the kind P5.
std::string Picture(int side, int strokes = 1) {
  std::string pixels(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), '\0');
  for (int stroke = 0; stroke < strokes; ++stroke) {
    const int x = side * (stroke + 1) / (strokes + 1);
    for (int y = side / 5; y < side * 4 / 5; ++y) {
      for (int dx = 0; dx <= side / 16; ++dx) {
        pixels[static_cast<std::size_t>(y * side + x + dx)] = '\xff';
      }
    }
  }
  return absl::StrCat("P5 ", side, " ", side, " 255\n", pixels);
}

class ImageContentsTest : public ::testing::Test {
 protected:
  absl::Status Fit(const std::vector<ImageContent>& contents) {
    images_.assign(4, ImageView{PixelFormat::kGray8, nullptr});
    return FitContents(card_, contents, images_, &arena_);
  }
  std::string Bytes(int index) const {
    const ImageView& image = images_[static_cast<std::size_t>(index)];
    return {reinterpret_cast<const char*>(image.pixels), BytesPerImage(image.format)};
  }

  ModelCard card_;
  google::protobuf::Arena arena_;
  std::vector<ImageView> images_;
};

TEST_F(ImageContentsTest, GreyLevelsGetABlackBorder) {
  std::string content;
  for (int i = 0; i < 784; ++i) content.push_back(static_cast<char>(i % 255 + 1));
  ASSERT_TRUE(Fit({{.index = 2, .kind = Kind::kGray8, .side = 28, .bytes = content}}).ok());
  EXPECT_EQ(images_[0].pixels, nullptr);
  EXPECT_EQ(images_[2].format, PixelFormat::kGray8);
  const std::string image = Bytes(2);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
      const char wanted = inside ? content[static_cast<std::size_t>((y - 2) * 28 + x - 2)] : '\0';
      ASSERT_EQ(image[static_cast<std::size_t>(y * 32 + x)], wanted) << y << " " << x;
    }
  }
}

TEST_F(ImageContentsTest, FloatsGetABorderThatIsBlackOnceNormalised) {
  const std::vector<float> values(784, 0.5F);
  const std::string content(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  ASSERT_TRUE(Fit({{.index = 0, .kind = Kind::kFloat32, .side = 28, .bytes = content}}).ok());
  std::vector<float> image(1024);
  std::memcpy(image.data(), Bytes(0).data(), 4096);
  EXPECT_EQ(image[0], card_.normalization(0));
  EXPECT_EQ(image[32 * 2 + 1], card_.normalization(0));
  EXPECT_EQ(image[32 * 2 + 2], 0.5F);
  EXPECT_EQ(image[32 * 29 + 29], 0.5F);
  EXPECT_EQ(image[1023], card_.normalization(0));
}

TEST_F(ImageContentsTest, OtherSidesThanTheModelsAreInvalid) {
  const std::string content(400, '\1');
  const absl::Status status =
      Fit({{.index = 3, .kind = Kind::kGray8, .side = 20, .bytes = content}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "images[3].gray8 has 20x20 pixels; wanted 32x32, or 28x28, which the server pads");
  card_.content_size = 20;
  card_.padding = 6;
  EXPECT_TRUE(Fit({{.index = 3, .kind = Kind::kGray8, .side = 20, .bytes = content}}).ok());
}

TEST_F(ImageContentsTest, APictureIsDecodedAndCentred) {
  const std::string picture = Picture(200);
  ASSERT_TRUE(Fit({{.index = 1, .kind = Kind::kPicture, .bytes = picture}}).ok());
  const std::string image = Bytes(1);
  int first = 32;
  int last = -1;
  for (int y = 0; y < 32; ++y) {
    if (static_cast<unsigned char>(image[static_cast<std::size_t>(y * 32 + 16)]) < 128) continue;
    first = std::min(first, y);
    last = y;
  }
  EXPECT_EQ(last - first + 1, 20);  // as MNIST was made
  EXPECT_NEAR(first + last, 31, 2);
}

TEST_F(ImageContentsTest, WhatIsNoPictureOfOneDigitIsNamed) {
  const std::string empty;
  const std::string text = "a text and not a picture";
  const std::string blank = absl::StrCat("P5 8 8 255\n", std::string(64, '\7'));
  const std::string several = Picture(300, 3);
  const std::string heic = std::string("\0\0\0\x18", 4) + "ftypheic" + std::string(20, '\0');
  const std::string large = "P5 1025 1024 255\n";
  const struct {
    const std::string& bytes;
    const char* says;
  } cases[] = {{empty, "the file is empty"},
               {text, "this is not a picture"},
               {blank, ""},
               {several, ""},
               {heic, "HEIC"},
               {large, "the picture is 1025x1024; at most 1048576 pixels"}};
  for (const auto& wanted : cases) {
    const absl::Status status = Fit({{.index = 2, .kind = Kind::kPicture, .bytes = wanted.bytes}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wanted.says;
    EXPECT_THAT(std::string(status.message()), StartsWith("images[2].encoded: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(wanted.says));
  }
}

TEST_F(ImageContentsTest, TooManyPicturesAreInvalid) {
  const std::string picture = Picture(64);
  const std::vector<ImageContent> nine(9, {.index = 0, .kind = Kind::kPicture, .bytes = picture});
  EXPECT_EQ(Fit(nine).message(), "images has 9 encoded pictures; wanted at most 8, or gray8");
  EXPECT_TRUE(Fit({nine.begin() + 1, nine.end()}).ok());
}

TEST_F(ImageContentsTest, ThePicturesOfARequestAreBoundedTogether) {
  const std::string picture = Picture(800);  // 640,000 pixels
  ASSERT_TRUE(Fit({{.index = 0, .kind = Kind::kPicture, .bytes = picture}}).ok());
  const absl::Status status = Fit({{.index = 0, .kind = Kind::kPicture, .bytes = picture},
                                   {.index = 1, .kind = Kind::kPicture, .bytes = picture}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("images[1].encoded: the picture is 800x800; at most 408576 pixels"));
}

}  // namespace
}  // namespace hellocnn::server
