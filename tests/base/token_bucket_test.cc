#include "base/token_bucket.h"

#include "absl/time/time.h"
#include "base/clock.h"
#include "gtest/gtest.h"

namespace hellocnn {
namespace {

constexpr Instant kStart;

Instant After(double seconds) { return kStart + absl::Seconds(seconds); }

TEST(TokenBucket, IsFullAtFirst) {
  TokenBucket bucket(10, 1, kStart);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.Take(1, kStart)) << i;
  EXPECT_FALSE(bucket.Take(1, kStart));
}

TEST(TokenBucket, GivesAllItsTokensAtOnceAndNotOneMore) {
  TokenBucket exact(10, 1, kStart);
  EXPECT_TRUE(exact.Take(10, kStart));
  TokenBucket more(10, 1, kStart);
  EXPECT_FALSE(more.Take(10.5, kStart));
}

TEST(TokenBucket, GainsTokensWithTime) {
  TokenBucket bucket(10, 2, kStart);
  EXPECT_TRUE(bucket.Take(10, kStart));
  EXPECT_TRUE(bucket.Take(3, After(1.5)));
  EXPECT_FALSE(bucket.Take(0.5, After(1.5)));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  TokenBucket idle(10, 1, kStart);
  EXPECT_TRUE(idle.Take(10, After(3600)));
  EXPECT_FALSE(idle.Take(1, After(3600)));
  TokenBucket earning(10, 1, kStart);
  earning.Earn(1000);
  EXPECT_TRUE(earning.Take(10, kStart));
  EXPECT_FALSE(earning.Take(1, kStart));
}

TEST(TokenBucket, WhoeverGoesOnRemainsRefused) {
  TokenBucket bucket(10, 1, kStart);
  EXPECT_TRUE(bucket.Take(10, kStart));
  // Twice as fast as tokens come.
  for (int second = 1; second <= 100; ++second) EXPECT_FALSE(bucket.Take(2, After(second)));
  EXPECT_FALSE(bucket.Take(0, After(199)));
  EXPECT_TRUE(bucket.Take(0, After(200)));
}

TEST(TokenBucket, WhoeverOnlyTriesOwesNothing) {
  TokenBucket bucket(10, 1, kStart);
  EXPECT_TRUE(bucket.TryTake(10, kStart));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(bucket.TryTake(1, kStart));
  EXPECT_TRUE(bucket.TryTake(1, After(1)));
  EXPECT_FALSE(bucket.TryTake(1, After(1)));
}

TEST(TokenBucket, EarnedTokensPayADebtFirst) {
  TokenBucket bucket(10, 0, kStart);
  EXPECT_FALSE(bucket.Take(13, kStart));
  bucket.Earn(3);
  EXPECT_FALSE(bucket.Take(1, kStart));
  bucket.Earn(2);
  EXPECT_TRUE(bucket.Take(1, kStart));
}

TEST(TokenBucket, AnEmptyBucketGivesOnlyWhatItGains) {
  TokenBucket bucket(0, 1000, kStart);
  EXPECT_TRUE(bucket.Take(0, kStart));
  EXPECT_FALSE(bucket.Take(1, After(100)));
}

TEST(TokenBucket, WhoeverMayOweTakesWhatIsLeftAndWaits) {
  TokenBucket bucket(10, 2, kStart);
  EXPECT_EQ(bucket.TakeOrWait(9, kStart), absl::ZeroDuration());
  EXPECT_EQ(bucket.TakeOrWait(20, kStart), absl::ZeroDuration());
  // It owes 19, and one more must be there.
  const absl::Duration wait = bucket.TakeOrWait(1, kStart);
  EXPECT_NEAR(absl::ToDoubleSeconds(wait), 10, 1e-6);
  EXPECT_EQ(bucket.TakeOrWait(1, kStart + wait), absl::ZeroDuration());
  EXPECT_GT(bucket.TakeOrWait(1, kStart + wait), absl::ZeroDuration());
}

TEST(TokenBucket, SmallBucketIsEnoughWhenItIsFull) {
  TokenBucket bucket(0.25, 0.25, kStart);
  EXPECT_EQ(bucket.TakeOrWait(1, kStart), absl::ZeroDuration());
  EXPECT_GT(bucket.TakeOrWait(1, After(3.9)), absl::ZeroDuration());
  EXPECT_EQ(bucket.TakeOrWait(1, After(4.1)), absl::ZeroDuration());
}

TEST(TokenBucket, WithoutGainTheWaitIsInfinite) {
  TokenBucket bucket(1, 0, kStart);
  EXPECT_EQ(bucket.TakeOrWait(1, kStart), absl::ZeroDuration());
  EXPECT_EQ(bucket.TakeOrWait(1, After(1e6)), absl::InfiniteDuration());
}

}  // namespace
}  // namespace hellocnn
