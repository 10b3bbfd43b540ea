// The shares of right digits that docs/pictures.md promises, on digits that nothing was tuned on.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "benchmarks/pictures/measurement.h"

namespace hellocnn {
namespace {

// hellocnn-picture-bench, with which the preparation was tuned, takes the first digits.
constexpr int kHeldOut = 5000;

PictureBenchmarkOptions Options(int digits) {
  const std::string source = HELLOCNN_SOURCE_DIR;
  return {source + "/models/mnist/1", source + "/data/mnist-test", kHeldOut, digits, 1};
}

TEST(Pictures, AreRightAsOftenAsWasPromisedWithoutAnyFlag) {
  const std::map<std::string, double> wanted = {
      {"MNIST's picture, 280x280", 0.98},    {"shifted by 4 and 3 of 28 pixels", 0.975},
      {"cropped to its ink", 0.975},         {"half the size, centred", 0.975},
      {"half the size, in a corner", 0.975}, {"dark on white paper, a third of the height", 0.95},
      {"phone photo: shadow, noise", 0.90},
  };
  for (const auto& [name, share] : wanted) {
    const absl::StatusOr<std::vector<PictureResult>> results = MeasurePictures(Options(300), name);
    ASSERT_TRUE(results.ok()) << results.status();
    ASSERT_EQ(results->size(), 1U) << name;
    EXPECT_GE((*results)[0].share(), share) << name;
  }
}

TEST(Pictures, AreRightInOtherPresentationsToo) {
  const absl::StatusOr<std::vector<PictureResult>> results = MeasurePictures(Options(60));
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_GE(results->size(), 26U);
  for (const PictureResult& result : *results)
    EXPECT_GE(result.share(), result.wanted) << result.presentation;
}

TEST(Pictures, AreTheSameForTheSameSeed) {
  const auto right = [](unsigned seed) {
    PictureBenchmarkOptions options = Options(20);
    options.seed = seed;
    return MeasurePictures(options, "hard shadow").value()[0].right;
  };
  EXPECT_EQ(right(3), right(3));
}

TEST(Pictures, ErrorsNameWhatIsWrong) {
  const auto code = [](const PictureBenchmarkOptions& options) {
    return MeasurePictures(options).status().code();
  };
  PictureBenchmarkOptions options = Options(5'001);
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  options.digits = 1;
  options.first = 10'000;
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  options.first = -1;
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  options.first = 0;
  options.model = "nowhere";
  EXPECT_EQ(code(options), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hellocnn
