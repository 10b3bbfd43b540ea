#include "hellocnn/golden_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hellocnn/topology.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/files.h"
#include "tests/testing/model_card.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Two images, for which a fake engine finds the classes 3 and 5.
class GoldenImagesTest : public ::testing::Test {
 protected:
  GoldenImagesTest() {
    card_.golden = {.images = "golden", .log_probabilities = {RowOf(13), RowOf(5)}};
  }

  static std::vector<double> RowOf(int pixel) {
    const auto row = testing::FakeRow(pixel);
    return {row.begin(), row.end()};
  }

  // Writes an IDX file of uint8 with these extents, in which the first pixels are 13 and 5.
  void WriteImages(const std::vector<std::uint8_t>& extents, std::size_t bytes) {
    std::string file{'\0', '\0', '\x08', static_cast<char>(extents.size())};
    for (const std::uint8_t extent : extents) {
      file += std::string(3, '\0') + static_cast<char>(extent);
    }
    std::string pixels(bytes, '\0');
    pixels[0] = 13;
    pixels[kImagePixels] = 5;
    directory_.Write("golden", file + pixels);
  }

  absl::StatusOr<std::vector<std::uint8_t>> Load() {
    return LoadGoldenImages(directory_.path(), card_);
  }

  absl::Status Check(std::size_t index) {
    WriteImages({2, 32, 32}, 2 * kImagePixels);
    return CheckGoldenImage(card_, Load().value(), index, *engines_.Factory()().value());
  }

  TemporaryDirectory directory_;
  ModelCard card_ = testing::DigitsCard();
  testing::FakeEngines engines_;
};

TEST_F(GoldenImagesTest, AgreeWithTheirCard) {
  EXPECT_TRUE(Check(0).ok()) << Check(0);
  EXPECT_TRUE(Check(1).ok()) << Check(1);
}

TEST_F(GoldenImagesTest, MayDifferByALittle) {
  card_.golden->log_probabilities[1][5] -= 0.9 * kGoldenAbsolute;
  card_.golden->log_probabilities[1][0] *= 1 + 0.9 * kGoldenRelative;
  EXPECT_TRUE(Check(1).ok()) << Check(1);
}

TEST_F(GoldenImagesTest, AnotherResultSaysWhatWasFoundAndWanted) {
  card_.golden->log_probabilities[1][5] -= 1.1 * kGoldenAbsolute;
  EXPECT_TRUE(Check(0).ok());
  const absl::Status status = Check(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("golden image 1: class 5"), HasSubstr("-0.005 of class 5"),
                    HasSubstr("the model card has class 5 and -0.016")));
}

TEST_F(GoldenImagesTest, AnErrorOfTheEngineIsReturned) {
  engines_.Fail(absl::InternalError("broken"));
  EXPECT_EQ(Check(0), absl::InternalError("broken"));
}

TEST_F(GoldenImagesTest, FileMustHaveAnImageForEachRow) {
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
  for (const std::vector<std::uint8_t>& extents :
       std::vector<std::vector<std::uint8_t>>{{3, 32, 32}, {2, 16, 64}, {2, 32, 32, 1}, {64, 32}}) {
    std::size_t bytes = 1;
    for (const std::uint8_t extent : extents) bytes *= extent;
    WriteImages(extents, bytes);
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("wanted [2, 32, 32] of uint8"));
  }
}

}  // namespace
}  // namespace hellocnn
