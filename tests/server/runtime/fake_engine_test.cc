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
    return engine_->Classify(std::span(&image_, 1), std::span(&prediction_, 1));
  }

  FakeEngines engines_;
  std::unique_ptr<Engine> engine_ = *engines_.Factory()();
  std::array<std::byte, kImagePixels> pixels_{std::byte{17}};
  ImageView image_{PixelFormat::kGray8, pixels_.data()};
  Prediction prediction_;
};

TEST_F(BatcherFakeEngineTest, AnswerDependsOnTheFirstPixelInEitherFormat) {
  ASSERT_TRUE(Classify().ok());
  EXPECT_EQ(prediction_.ClassIndex(), 7);
  EXPECT_EQ(prediction_.log_probabilities, FakePrediction(17).log_probabilities);
  EXPECT_NE(prediction_.log_probabilities, FakePrediction(27).log_probabilities);

  std::array<std::byte, kImagePixels * sizeof(float)> floats{};
  const float first = 4.0F;
  std::memcpy(floats.data(), &first, sizeof(first));
  image_ = {PixelFormat::kFloat32, floats.data()};
  ASSERT_TRUE(Classify().ok());
  EXPECT_EQ(prediction_.ClassIndex(), 4);
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
