#include "server/scheduling/wait_model.h"

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

class WaitModelTest : public ::testing::Test {
 protected:
  void Take(absl::Duration after, int images, bool left) {
    now_ += after;
    waits_.OnTake(now_, images, left);
  }

  WaitModel waits_;
  Instant now_ = Instant() + absl::Seconds(100);
};

TEST_F(WaitModelTest, ExpectsNothingBeforeItHasSeenAnything) {
  EXPECT_EQ(waits_.TakeTime(1000), absl::ZeroDuration());
  EXPECT_EQ(waits_.ComputeTime(1000), absl::ZeroDuration());
}

TEST_F(WaitModelTest, OneTakeTellsNothingOfTheNext) {
  Take(absl::ZeroDuration(), 4, /*left=*/true);
  EXPECT_EQ(waits_.TakeTime(8), absl::ZeroDuration());
}

TEST_F(WaitModelTest, CountsTheTimeBetweenTakesFromAQueueThatIsNeverEmpty) {
  Take(absl::ZeroDuration(), 4, /*left=*/true);
  Take(absl::Milliseconds(2), 4, /*left=*/true);
  EXPECT_EQ(waits_.TakeTime(8), absl::Milliseconds(4));
}

TEST_F(WaitModelTest, LeavesOutTheTimeInWhichNothingWaited) {
  Take(absl::ZeroDuration(), 4, /*left=*/true);
  Take(absl::Milliseconds(2), 4, /*left=*/false);
  Take(absl::Hours(1), 4, /*left=*/true);
  EXPECT_EQ(waits_.TakeTime(4), absl::Milliseconds(2));
}

TEST_F(WaitModelTest, FollowsAChangeOfPaceWithinSomeBatches) {
  Take(absl::ZeroDuration(), 1, /*left=*/true);
  for (int i = 0; i < 100; ++i) Take(absl::Milliseconds(1), 1, /*left=*/true);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(waits_.TakeTime(1)), 1, 1e-6);
  Take(absl::Milliseconds(9), 1, /*left=*/true);  // a hiccup
  EXPECT_NEAR(absl::ToDoubleMilliseconds(waits_.TakeTime(1)), 2, 0.01);
  for (int i = 0; i < 40; ++i) Take(absl::Milliseconds(9), 1, /*left=*/true);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(waits_.TakeTime(1)), 9, 0.1);
}

TEST_F(WaitModelTest, ComputingIsCountedByImages) {
  waits_.OnComputed(1, absl::Milliseconds(1));
  EXPECT_EQ(waits_.ComputeTime(32), absl::Milliseconds(32));
  for (int i = 0; i < 100; ++i) waits_.OnComputed(32, absl::Milliseconds(8));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(waits_.ComputeTime(32)), 8, 0.01);
}

}  // namespace
}  // namespace hellocnn::server
