#include "loadgen/core/pacer.h"

#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;

RunLimits Of(Nanos warm_up, Nanos duration) {
  RunLimits limits;
  limits.warm_up = warm_up;
  limits.duration = duration;
  return limits;
}

TEST(Pacer, ClosedLoopSendsAtOnceUntilTheTimeIsOver) {
  Pacer pacer(Of(milliseconds(10), milliseconds(100)), nullptr);
  EXPECT_FALSE(pacer.open_loop());
  const auto first = pacer.Next(milliseconds(9));
  EXPECT_EQ(first->intended, milliseconds(9));
  EXPECT_FALSE(first->measured);
  EXPECT_TRUE(pacer.Next(milliseconds(10))->measured);
  EXPECT_TRUE(pacer.Next(milliseconds(109))->measured);
  EXPECT_FALSE(pacer.ended_by_time());
  EXPECT_FALSE(pacer.Next(milliseconds(110)).has_value());
  EXPECT_TRUE(pacer.ended_by_time());
}

TEST(Pacer, OpenLoopKeepsToItsScheduleHoweverLateItIs) {
  Pacer pacer(Of(Nanos(0), milliseconds(1000)), ConstantArrivals(1000));
  // These requests are overdue, and keep the times at which they were due.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pacer.Next(milliseconds(900))->intended, milliseconds(i));
}

TEST(Pacer, OpenLoopDoesNotCatchUpAfterItsEnd) {
  Pacer pacer(Of(Nanos(0), milliseconds(5)), ConstantArrivals(1000));
  EXPECT_TRUE(pacer.Next(milliseconds(4)).has_value());
  EXPECT_FALSE(pacer.Over(milliseconds(4)));
  EXPECT_FALSE(pacer.Next(milliseconds(5)).has_value());
  EXPECT_TRUE(pacer.ended_by_time());
}

// Otherwise a generator that cannot keep up would measure nothing at all.
TEST(Pacer, OverdueRequestsOfTheWarmUpAreSkippedAtItsEnd) {
  Pacer pacer(Of(milliseconds(5), milliseconds(5)), ConstantArrivals(1000));
  EXPECT_EQ(pacer.Next(milliseconds(4))->intended, milliseconds(0));
  const auto next = pacer.Next(milliseconds(6));
  EXPECT_EQ(next->intended, milliseconds(5));
  EXPECT_TRUE(next->measured);
}

TEST(Pacer, CountsOnlyWhatIsMeasured) {
  RunLimits limits;
  limits.warm_up = milliseconds(3);
  limits.requests = 2;
  Pacer pacer(limits, ConstantArrivals(1000));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pacer.Next(Nanos(0))->measured);
  EXPECT_TRUE(pacer.Next(Nanos(0))->measured);
  EXPECT_TRUE(pacer.Next(Nanos(0))->measured);
  EXPECT_FALSE(pacer.Next(Nanos(0)).has_value());
  EXPECT_FALSE(pacer.ended_by_time());
}

TEST(Pacer, SharesAddUpToTheWhole) {
  RunLimits limits;
  limits.requests = 11;
  EXPECT_EQ(limits.Share(0, 3).requests + limits.Share(1, 3).requests + limits.Share(2, 3).requests,
            11);
  limits = RunLimits();
  // Without a limit, there is nothing to divide.
  EXPECT_EQ(limits.Share(1, 3).requests, limits.requests);
}

}  // namespace
}  // namespace hellocnn::load
