#include "server/stop_signals.h"

#include <gtest/gtest.h>

#include <csignal>

#include "absl/time/time.h"
#include "tests/testing/fake_clock.h"

namespace hellocnn::server {
namespace {

using Action = StopSignals::Action;

class StopSignalsTest : public ::testing::Test {
 protected:
  // A signal `after` the last one.
  Action Send(int number, absl::Duration after, bool waiting) {
    clock_.Advance(after);
    return signals_.OnSignal(number, clock_.Now(), waiting);
  }

  testing::FakeClock clock_;
  StopSignals signals_;
};

TEST_F(StopSignalsTest, OnlySigtermWaitsBeforeTheDrain) {
  for (const int number : {SIGTERM, SIGINT}) {
    StopSignals signals;
    EXPECT_EQ(signals.OnSignal(number, clock_.Now(), /*waiting=*/false),
              number == SIGTERM ? Action::kLeave : Action::kDrain);
  }
}

TEST_F(StopSignalsTest, AnySecondSignalEndsTheDelayAndAThirdTheProcess) {
  for (const int number : {SIGTERM, SIGINT}) {
    signals_ = {};
    EXPECT_EQ(Send(SIGTERM, absl::ZeroDuration(), false), Action::kLeave);
    EXPECT_EQ(Send(number, absl::Seconds(1), true), Action::kDrain);
    EXPECT_EQ(Send(number, absl::Seconds(1), false), Action::kExit);
  }
}

TEST_F(StopSignalsTest, ASecondSignalWithoutADelayEndsTheProcess) {
  for (const int number : {SIGTERM, SIGINT}) {
    signals_ = {};
    Send(number, absl::ZeroDuration(), false);
    EXPECT_EQ(Send(SIGTERM, absl::Seconds(1), false), Action::kExit);
  }
}

TEST_F(StopSignalsTest, EachSignalMayComeTwice) {
  EXPECT_EQ(Send(SIGTERM, absl::ZeroDuration(), false), Action::kLeave);
  EXPECT_EQ(Send(SIGTERM, absl::Milliseconds(250), true), Action::kNone);
  EXPECT_EQ(Send(SIGTERM, absl::Milliseconds(1), true), Action::kDrain);
  EXPECT_EQ(Send(SIGTERM, absl::Milliseconds(250), false), Action::kNone);
  EXPECT_EQ(Send(SIGTERM, absl::Milliseconds(1), false), Action::kExit);
}

TEST_F(StopSignalsTest, SighupStopsNothingAndIsNoRepetition) {
  EXPECT_EQ(Send(SIGHUP, absl::ZeroDuration(), false), Action::kLook);
  EXPECT_EQ(Send(SIGHUP, absl::ZeroDuration(), false), Action::kLook);
  EXPECT_EQ(Send(SIGTERM, absl::ZeroDuration(), false), Action::kLeave);
  EXPECT_EQ(Send(SIGHUP, absl::Seconds(1), true), Action::kLook);
  EXPECT_EQ(Send(SIGTERM, absl::ZeroDuration(), true), Action::kDrain);
}

}  // namespace
}  // namespace hellocnn::server
