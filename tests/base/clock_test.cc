#include "base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "base/mutex.h"
#include "tests/testing/fake_clock.h"

namespace hellocnn {
namespace {

TEST(InstantTest, InfinitiesEncloseAllOthersAndStayInfinite) {
  const Instant now = Clock::Monotonic()->Now();
  EXPECT_LT(Instant::InfinitePast(), Instant());
  EXPECT_LT(Instant(), now);
  EXPECT_LT(now, Instant::InfiniteFuture());
  EXPECT_EQ(Instant::InfiniteFuture() + absl::Hours(1), Instant::InfiniteFuture());
  EXPECT_EQ(Instant::InfiniteFuture() - now, absl::InfiniteDuration());
  EXPECT_EQ(Instant::InfinitePast() - now, -absl::InfiniteDuration());
}

TEST(InstantTest, DifferencesAreDurations) {
  const Instant now = Clock::Monotonic()->Now();
  EXPECT_EQ((now + absl::Milliseconds(5)) - now, absl::Milliseconds(5));
  EXPECT_EQ(now - absl::Seconds(1) + absl::Seconds(1), now);
}

TEST(InstantTest, SurvivesTheWayThroughTheStandardLibrary) {
  const auto steady = std::chrono::steady_clock::now();
  EXPECT_EQ(Instant::FromSteady(steady).ToSteady(), steady);
  EXPECT_GT(Instant::InfiniteFuture().ToSteady(), steady + std::chrono::hours(24 * 365));
}

TEST(ClockTest, MonotonicClockNeverGoesBack) {
  Instant last = Clock::Monotonic()->Now();
  for (int i = 0; i < 100'000; ++i) {
    const Instant now = Clock::Monotonic()->Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(FakeClockTest, MovesWhenToldToAndNotBefore) {
  testing::FakeClock clock;
  const Instant start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(2));
}

TEST(CondVarTest, ReportsADeadlineThatHasPassed) {
  Mutex mutex;
  CondVar condition;
  MutexLock lock(&mutex);
  EXPECT_TRUE(condition.WaitUntil(&mutex, Instant::InfinitePast()));
}

TEST(NotificationTest, IsSeenByThoseWhoWaitAndByThoseWhoAsk) {
  Notification notification;
  EXPECT_FALSE(notification.HasBeenNotified());
  EXPECT_FALSE(notification.WaitUntil(Instant::InfinitePast()));
  notification.Notify();
  notification.Notify();
  EXPECT_TRUE(notification.HasBeenNotified());
  EXPECT_TRUE(notification.WaitUntil(Instant::InfinitePast()));
  notification.Wait();
}

// An exit handler that was registered before the clock was first used runs after the destructors of
// statics that were made later. UndefinedBehaviorSanitizer reports the use of a destroyed clock.
TEST(ClockDeathTest, TellsTheTimeUntilTheProcessHasEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process in which nobody asked for the time
  const auto exit_late = [] {
    std::atexit([] {
      const bool later = Clock::Monotonic()->Now() >= Instant();
      if (later) std::fputs("told the time", stderr);
    });
    Clock::Monotonic();
    std::exit(0);
  };
  EXPECT_EXIT(exit_late(), ::testing::ExitedWithCode(0), ::testing::StrEq("told the time"));
}

}  // namespace
}  // namespace hellocnn
