#include "loadgen/run/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "tests/loadgen/run_fixture.h"

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(RunTest, ClosedLoopSendsAsManyAsWanted) {
  std::atomic<int> calls = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    ++calls;
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.in_flight = 5;
  plan_.threads = 2;
  plan_.limits.requests = 301;
  const Outcome outcome = Measure();
  EXPECT_EQ(calls, 301);
  EXPECT_EQ(outcome.total.answered(), 301);
  EXPECT_EQ(outcome.total.failed(), 0);
  EXPECT_EQ(outcome.answered_in_time, 301);
  EXPECT_EQ(outcome.total.images, 301);
  EXPECT_NEAR(static_cast<double>(outcome.total.wrong), 100, 2);
  EXPECT_EQ(outcome.total.queue.max(), 1500);  // as the server reports
  EXPECT_GT(outcome.seconds, 0);
  EXPECT_FALSE(outcome.interrupted);
}

TEST_F(RunTest, StreamsAnswerTheSame) {
  plan_.in_flight = 16;
  plan_.threads = 2;
  plan_.limits.requests = 301;
  const Outcome outcome = Measure(/*streaming=*/true);
  EXPECT_EQ(outcome.total.answered(), 301);
  EXPECT_EQ(outcome.total.failed(), 0);
  EXPECT_NEAR(static_cast<double>(outcome.total.wrong), 100, 2);
}

// One thread sends, another takes responses, and both use the stream.
TEST_F(RunTest, StreamsServeAnOpenLoop) {
  plan_.arrivals = [] { return ConstantArrivals(2000); };
  plan_.in_flight = 1000;
  plan_.limits.requests = 1000;
  const Outcome outcome = Measure(/*streaming=*/true, 1);
  EXPECT_EQ(outcome.total.answered(), 1000);
  EXPECT_EQ(outcome.total.failed(), 0);
}

TEST_F(RunTest, ABrokenStreamIsCountedAndMadeAgain) {
  std::atomic<int> requests = 0;
  server_.stream_answer = [&](const v1::ClassifyStreamRequest& request,
                              v1::ClassifyStreamResponse& response) {
    *response.mutable_result() = FakeServer::Answer(request.images());
    return ++requests % 50 != 0;
  };
  plan_.in_flight = 4;
  plan_.limits.requests = 300;
  const Outcome outcome = Measure(/*streaming=*/true, 1);
  EXPECT_EQ(outcome.total.requests(), 300);
  EXPECT_GE(outcome.total.by_code[grpc::UNAVAILABLE], 4);
  EXPECT_EQ(outcome.total.messages[grpc::UNAVAILABLE][0], "draining");
  EXPECT_GT(outcome.total.answered(), 200);
}

TEST_F(RunTest, ErrorsAreCountedByStatus) {
  std::atomic<int> calls = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    if (++calls % 10 == 0) return grpc::Status(grpc::RESOURCE_EXHAUSTED, "full");
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.limits.requests = 100;
  const Outcome outcome = Measure();
  EXPECT_EQ(outcome.total.by_code[grpc::RESOURCE_EXHAUSTED], 10);
  EXPECT_THAT(outcome.total.messages[grpc::RESOURCE_EXHAUSTED], testing::ElementsAre("full"));
  EXPECT_EQ(outcome.total.latency.count(), 90);
}

TEST_F(RunTest, DeadlinesAreKept) {
  BeforeEachResponse([this](int) { over_.Wait(); });
  plan_.limits.requests = 4;
  plan_.timeout = milliseconds(100);
  EXPECT_EQ(Measure().total.by_code[grpc::DEADLINE_EXCEEDED], 4);
}

TEST_F(RunTest, WarmUpDoesNotCount) {
  BeforeEachResponse([](int) {});
  plan_.arrivals = [] { return ConstantArrivals(100); };
  plan_.in_flight = 1000;
  plan_.limits.warm_up = milliseconds(500);
  plan_.limits.duration = milliseconds(1000);
  const Outcome outcome = Measure();
  // On a busy machine, some are due before an end and not sent.
  EXPECT_EQ(outcome.total.requests() + outcome.unsent, 100);
  EXPECT_LE(outcome.warm_up.requests(), 50);
  EXPECT_EQ(calls_, outcome.total.requests() + outcome.warm_up.requests());
  EXPECT_DOUBLE_EQ(outcome.seconds, 1);
}

// The first response is not sent before the 100th request has come, and that is due after 990 ms.
TEST_F(RunTest, OpenLoopCountsAllWhoWaitForAStall) {
  Notification all;
  BeforeEachResponse([&](int call) {
    if (call == 100) all.Notify();
    all.Wait();
  });
  plan_.limits.requests = 120;
  plan_.in_flight = 1000;
  plan_.arrivals = [] { return ConstantArrivals(100); };
  const Outcome open = Measure();
  EXPECT_EQ(open.total.requests(), 120);
  // 89 requests are due more than 100 ms before that one, and 49 more than 500 ms.
  EXPECT_GE(Above(open.total.latency, milliseconds(100)), 89);
  EXPECT_GE(Above(open.total.latency, milliseconds(500)), 49);
  EXPECT_GE(open.total.latency.max(), Nanos(milliseconds(989)).count());
}

// A stalled server holds all slots. Requests that are due meanwhile are sent late, and their
// latency counts from the time they were due.
TEST_F(RunTest, HeldBackRequestsCountFromWhenTheyWereDue) {
  Views views;
  BeforeEachResponse([&](int call) {
    if (call == 1) views.Wait(11);  // at least 1 s
  });
  plan_.limits.requests = 150;
  plan_.in_flight = 1;
  plan_.arrivals = [] { return ConstantArrivals(100); };
  const Outcome outcome = Measure(false, 1, &views);
  EXPECT_EQ(outcome.total.requests(), 150);
  EXPECT_GE(outcome.total.held, 99);
  EXPECT_GE(Above(outcome.total.latency, milliseconds(500)), 49);
  // They waited for a slot, and not for the server.
  EXPECT_GE(Above(outcome.total.lag, milliseconds(500)), 49);
}

// Every hundredth response is held for at least 100 ms, however busy the machine is.
TEST_F(RunTest, RareDelaysAreInTheFiguresOfBothLoops) {
  Views views;
  BeforeEachResponse([&](int call) {
    if (call % 100 == 0) views.Wait(2);
  });
  plan_.limits.requests = 1000;
  plan_.in_flight = 8;
  for (const bool open_loop : {false, true}) {
    calls_ = 0;
    if (open_loop) {
      plan_.arrivals = [] { return ConstantArrivals(500); };
      plan_.in_flight = 1000;
    }
    const Outcome outcome = Measure(false, 2, &views);
    ASSERT_EQ(outcome.total.answered(), 1000);
    for (const Histogram* histogram : {&outcome.total.latency, &outcome.total.service}) {
      // A slot is 0.1% wide.
      EXPECT_GE(Above(*histogram, kInterval * 998 / 1000), 10);
      EXPECT_GE(histogram->Mean(), static_cast<double>(10 * kInterval.count()) / 1000);
      EXPECT_GE(histogram->ValueAt(0.995), kInterval.count() * 998 / 1000);
    }
  }
}

TEST_F(RunTest, WindowsAreATenthOfTheDurationUnlessSaid) {
  plan_.limits.duration = milliseconds(2500);
  plan_.in_flight = 1;
  const Outcome tenths = Measure();
  EXPECT_EQ(tenths.window_length, milliseconds(200));
  EXPECT_GE(tenths.windows.size(), 12U);
  plan_.windows.length = milliseconds(1000);
  const Outcome said = Measure();
  EXPECT_EQ(said.window_length, milliseconds(1000));
  EXPECT_FALSE(said.steadiness.known);  // two windows and a half
}

}  // namespace
}  // namespace hellocnn::load
