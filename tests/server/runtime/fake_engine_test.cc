#include "tests/testing/fake_engine.h"

#include <array>
#include <cstring>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::testing {
namespace {

using ::testing::ElementsAre;

class BatcherFakeEngineTest : public ::testing::Test {
 protected:
  absl::Status Classify() {
    absl::Status status;
    engine_->Classify(std::span(&image_, 1), row_, std::span(&status, 1));
    return status;
  }

  FakeEngines engines_;
  std::unique_ptr<Engine> engine_ = *engines_.Factory()();
  std::array<std::byte, kImagePixels> pixels_{std::byte{17}};
  ImageView image_{PixelFormat::kGray8, pixels_.data()};
  std::array<float, kFakeClasses> row_{};
};

TEST_F(BatcherFakeEngineTest, AnswerDependsOnTheFirstPixelInEitherFormat) {
  ASSERT_TRUE(Classify().ok());
  EXPECT_EQ(MostLikelyClass(row_), 7);
  EXPECT_EQ(row_, FakeRow(17));
  EXPECT_NE(row_, FakeRow(27));

  std::array<std::byte, kImagePixels * sizeof(float)> floats{};
  const float first = 4.0F;
  std::memcpy(floats.data(), &first, sizeof(first));
  image_ = {PixelFormat::kFloat32, floats.data()};
  ASSERT_TRUE(Classify().ok());
  EXPECT_EQ(MostLikelyClass(row_), 4);
}

TEST_F(BatcherFakeEngineTest, FailsAsToldUntilToldOtherwise) {
  engines_.Fail(absl::InternalError("boom"));
  EXPECT_EQ(Classify(), absl::InternalError("boom"));
  engines_.Fail(absl::OkStatus());
  EXPECT_TRUE(Classify().ok());
  engines_.FailToMake(absl::NotFoundError("gone"));
  EXPECT_EQ(engines_.Factory()().status(), absl::NotFoundError("gone"));
  EXPECT_EQ(engines_.made(), 1);
}

TEST_F(BatcherFakeEngineTest, RejectsImagesWithThatFirstPixelOnly) {
  engines_.Reject(18, absl::InvalidArgumentError("too large"));
  const std::array<std::byte, kImagePixels> other{std::byte{18}};
  const std::array<ImageView, 2> images{image_, {PixelFormat::kGray8, other.data()}};
  std::array<float, 2 * kFakeClasses> rows{};
  std::array<absl::Status, 2> statuses;
  engine_->Classify(images, rows, statuses);
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_EQ(statuses[1], absl::InvalidArgumentError("too large"));
}

TEST_F(BatcherFakeEngineTest, HoldsACallUntilReleasedAndCountsIt) {
  engines_.Hold();
  std::thread caller([this] { EXPECT_TRUE(Classify().ok()); });
  engines_.WaitUntilHeld(1);
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1));
  engines_.Release();
  caller.join();
  EXPECT_EQ(engines_.calls(), 1);
}

}  // namespace
}  // namespace hellocnn::testing
