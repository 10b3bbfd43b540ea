#include "server/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace hellocnn::server {
namespace {

TEST(WatchdogTest, TellsAgainAndAgainWhileTheyRespond) {
  std::atomic<int> told{0};
  Notification often;
  const Watchdog watchdog(
      absl::Milliseconds(3), [](Instant) { return true; },
      [&] {
        if (++told == 3) often.Notify();
      });
  often.Wait();
}

TEST(WatchdogTest, TellsNothingUntilTheyRespondAgain) {
  std::atomic<int> asked{0};
  std::atomic<int> asked_when_told{0};
  Notification told;
  const Watchdog watchdog(
      absl::Milliseconds(3), [&](Instant) { return ++asked > 3; },
      [&] {
        int none = 0;
        asked_when_told.compare_exchange_strong(none, asked.load());
        told.Notify();
      });
  told.Wait();
  EXPECT_EQ(asked_when_told, 4);
}

TEST(WatchdogTest, TheirTimeIsAPartOfTheInterval) {
  Notification asked;
  std::atomic<bool> right{false};
  const Instant before = Clock::Monotonic()->Now();
  {
    const Watchdog watchdog(
        absl::Hours(3),
        [&](Instant deadline) {
          right = deadline - before >= absl::Hours(1) &&
                  deadline <= Clock::Monotonic()->Now() + absl::Hours(1);
          asked.Notify();
          return true;
        },
        [] {});
    asked.Wait();
  }  // does not wait for the next time
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace hellocnn::server
