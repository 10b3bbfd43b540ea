// When a measurement ends, and what it counts then.

#include <gtest/gtest.h>

#include <thread>

#include "base/mutex.h"
#include "tests/loadgen/run_fixture.h"

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(RunTest, CanBeStoppedEarly) {
  BeforeEachResponse([this](int call) {
    if (call == 100) stop_ = true;
  });
  for (const bool open_loop : {false, true}) {
    calls_ = 0;
    stop_ = false;
    plan_.limits.duration = seconds(600);
    plan_.in_flight = 2;
    if (open_loop) plan_.arrivals = [] { return ConstantArrivals(1000); };
    const Outcome outcome = Measure();
    EXPECT_TRUE(outcome.interrupted);
    EXPECT_GE(outcome.total.answered(), 100);
    EXPECT_EQ(outcome.cancelled, 0);
    EXPECT_LT(outcome.seconds, 60);
  }
}

// Without the cancellation, it would end after ten minutes.
TEST_F(RunTest, StoppedItDoesNotWaitForAServerThatHangs) {
  const auto hang = [this] {
    stop_ = true;
    over_.Wait();
  };
  BeforeEachResponse([hang](int) { hang(); });
  server_.stream_answer = [hang](const v1::ClassifyStreamRequest&, v1::ClassifyStreamResponse&) {
    hang();
    return true;
  };
  plan_.limits.duration = seconds(600);
  plan_.timeout = seconds(600);
  plan_.in_flight = 6;
  plan_.threads = 2;
  for (const bool streaming : {false, true}) {
    for (const bool open_loop : {false, true}) {
      stop_ = false;
      plan_.arrivals = nullptr;
      if (open_loop) plan_.arrivals = [] { return ConstantArrivals(1000); };
      const Outcome outcome = Measure(streaming);
      EXPECT_TRUE(outcome.interrupted);
      EXPECT_GE(outcome.cancelled, open_loop ? 1 : 6);
      EXPECT_EQ(outcome.total.requests(), 0);
      EXPECT_LT(outcome.seconds, 60);
    }
  }
}

TEST_F(RunTest, NothingIsSentAfterTheEndAndWhatWasDueIsCounted) {
  BeforeEachResponse([this](int) { over_.Wait(); });
  plan_.arrivals = [] { return ConstantArrivals(1000); };
  plan_.limits.warm_up = milliseconds(200);
  plan_.limits.duration = milliseconds(500);
  plan_.timeout = milliseconds(300);
  plan_.in_flight = 4;
  plan_.threads = 2;
  const Outcome outcome = Measure();
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_EQ(outcome.total.requests() + outcome.unsent, 500);
  EXPECT_EQ(outcome.total.answered(), 0);
  // Each slot takes a request every 300 ms.
  EXPECT_LE(outcome.total.requests() + outcome.warm_up.requests(), 4 * 3);
}

TEST_F(RunTest, AServerThatGoesAwayEndsInErrorsNotInAHang) {
  plan_.limits.duration = milliseconds(800);
  plan_.in_flight = 4;
  Notification enough;
  server_.stream_answer = [&](const v1::ClassifyStreamRequest& request,
                              v1::ClassifyStreamResponse& response) {
    *response.mutable_result() = FakeServer::Answer(request.images());
    if (++calls_ == 20) enough.Notify();
    return true;
  };
  std::thread stopper([&] {
    enough.Wait();
    server_.Stop();
  });
  const Outcome outcome = Measure(/*streaming=*/true);
  stopper.join();
  EXPECT_GT(outcome.total.answered(), 0);
  EXPECT_GT(outcome.total.failed(), 0);
}

// Each response comes with the next view, so that rate and latency do not depend on a busy machine.
TEST_F(RunTest, EndsOnceItIsSteady) {
  Views views;
  BeforeEachResponse([&](int) { views.Wait(1); });
  plan_.arrivals = [] { return ConstantArrivals(300); };
  plan_.limits.duration = seconds(600);
  plan_.windows = {milliseconds(2000), SteadyBy::kP50, /*until_steady=*/true};
  plan_.in_flight = 1000;
  const Outcome outcome = Measure(false, 2, &views);
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_TRUE(outcome.steadiness.steady());
  EXPECT_GE(outcome.seconds, 6);
  EXPECT_LT(outcome.seconds, 600);
}

TEST_F(RunTest, ConnectionsThatCannotBeMadeAreAnError) {
  server_.Stop();
  EXPECT_EQ(Connect({.target = server_.target()}, 2, milliseconds(300), stop_).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hellocnn::load
