// Tests schedules and tallies against a simulated server whose behaviour has a closed form. Time is
// simulated, too.
#include <gtest/gtest.h>

#include <algorithm>

#include "loadgen/core/pacer.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A server that processes requests in order and needs `service` for each.
class OneServer {
 public:
  explicit OneServer(Nanos service) : service_(service) {}
  Nanos Answer(Nanos sent) {
    free_ = std::max(sent, free_) + service_;
    return free_;
  }
  void StallUntil(Nanos until) { free_ = std::max(free_, until); }

 private:
  const Nanos service_;
  Nanos free_{0};
};

RunLimits Requests(std::int64_t count) {
  RunLimits limits;
  limits.requests = count;
  return limits;
}

// With Poisson arrivals and constant service, the mean wait is rho / (2 (1 - rho)) service times
// (Pollaczek-Khinchine). An arrival finds the server idle with probability 1 - rho.
TEST(Queueing, MeanWaitIsThatOfMD1) {
  constexpr double kService = 1e-3;
  for (const double rho : {0.3, 0.5, 0.7, 0.9}) {
    Pacer pacer(Requests(2'000'000), PoissonArrivals(rho / kService, 99));
    OneServer server{Nanos(milliseconds(1))};
    Tally tally;
    std::int64_t idle = 0;
    for (auto next = pacer.Next(Nanos(0)); next.has_value(); next = pacer.Next(Nanos(0))) {
      const Nanos done = server.Answer(next->intended);
      tally.Record({next->intended, next->intended, done, false}, Verdict());
      if (done - next->intended == milliseconds(1)) ++idle;
    }
    const double wait = tally.latency.Mean() * 1e-9 - kService;
    const double expected = kService * rho / (2 * (1 - rho));
    // Waits at rho 0.9 are correlated over thousands of requests. The bounds are 4 standard errors
    // of repeated runs.
    const double tolerance = rho < 0.8 ? 0.015 : 0.05;
    EXPECT_NEAR(wait / expected, 1, tolerance) << "rho " << rho;
    EXPECT_NEAR(static_cast<double>(idle) / 2e6, 1 - rho, 0.005) << "rho " << rho;
  }
}

// Returns the tally of 100 requests a second for 10 s, 1 ms each, with a stall from 4 s to 5 s.
Tally Stalled(bool open_loop) {
  constexpr Nanos kStall = milliseconds(4000);
  RunLimits limits;
  limits.duration = milliseconds(10'000);
  Pacer pacer(limits, open_loop ? ConstantArrivals(100) : nullptr);
  OneServer server{Nanos(milliseconds(1))};
  Tally tally;
  Nanos now{0};
  for (auto next = pacer.Next(now); next.has_value(); next = pacer.Next(now)) {
    const Nanos sent = next->intended;
    if (sent >= kStall) server.StallUntil(kStall + milliseconds(1000));
    const Nanos done = server.Answer(sent);
    tally.Record({next->intended, sent, done, false}, Verdict());
    now = done;
  }
  return tally;
}

std::int64_t Above(const Histogram& histogram, Nanos limit) {
  std::int64_t count = 0;
  for (const Histogram::Slot& slot : histogram.Slots()) {
    if (slot.lowest > limit.count()) count += slot.count;
  }
  return count;
}

TEST(Queueing, OpenLoopCountsAllWhoWaitForAStall) {
  const Tally tally = Stalled(/*open_loop=*/true);
  EXPECT_EQ(tally.requests(), 1000);
  // These requests came during the stall, more than 100 ms before its end. The bound allows for the
  // 1 ms that each request ahead takes.
  EXPECT_NEAR(static_cast<double>(Above(tally.latency, milliseconds(100))), 100, 2);
  EXPECT_NEAR(static_cast<double>(Above(tally.latency, milliseconds(500))), 56, 3);
  EXPECT_EQ(tally.latency.max(), Nanos(milliseconds(1001)).count());
}

TEST(Queueing, ClosedLoopSeesOneStalledRequestOnly) {
  const Tally tally = Stalled(/*open_loop=*/false);
  EXPECT_EQ(Above(tally.latency, milliseconds(100)), 1);
  EXPECT_NEAR(static_cast<double>(tally.requests()), 9000, 1);
}

TEST(Queueing, LatencyCountsFromTheIntendedSend) {
  Tally tally;
  tally.Record({microseconds(1000), microseconds(3500), microseconds(4000), false}, Verdict());
  EXPECT_EQ(tally.latency.max(), Nanos(microseconds(3000)).count());
  EXPECT_EQ(tally.service.max(), Nanos(microseconds(500)).count());
  EXPECT_EQ(tally.lag.max(), Nanos(microseconds(2500)).count());
  EXPECT_EQ(tally.late, 1);
  EXPECT_EQ(tally.held, 0);
}

}  // namespace
}  // namespace hellocnn::load
