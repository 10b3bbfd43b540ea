// Runs whole measurements of a server in this process. They take some time, but a busy machine
// cannot break their assertions.
#include "loadgen/run/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "loadgen/protocols/classify_protocol.h"
#include "loadgen/run/worker.h"
#include "tests/client/fake_server.h"

namespace hellocnn::load {
namespace {

using client::FakeServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RunTest : public testing::Test {
 protected:
  RunTest() {
    plan_.limits.warm_up = Nanos(0);
    // The fake server classifies a blank image as class 0.
    for (int label : {0, 0, 5}) {
      images_.images.push_back(client::Uniform(0));
      images_.labels.push_back(label);
    }
  }

  Outcome Measure(bool streaming = false, int connections = 2) {
    const auto protocol = ClassifyProtocol(images_, {streaming, 1, plan_.timeout});
    const Channels channels = Connect(server_.target(), connections, seconds(10)).value();
    return load::Measure(plan_, *protocol, channels, {}, stop_);
  }

  FakeServer server_;
  Images images_;
  Plan plan_;
  std::atomic<bool> stop_ = false;
};

std::int64_t Above(const Histogram& histogram, Nanos limit) {
  std::int64_t count = 0;
  for (const Histogram::Slot& slot : histogram.Slots()) {
    if (slot.lowest > limit.count()) count += slot.count;
  }
  return count;
}

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
  server_.classify = [&](grpc::ServerContext& context, const v1::ClassifyRequest&,
                         v1::ClassifyResponse&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(milliseconds(5));
    return grpc::Status::CANCELLED;
  };
  plan_.limits.requests = 4;
  plan_.timeout = milliseconds(100);
  EXPECT_EQ(Measure().total.by_code[grpc::DEADLINE_EXCEEDED], 4);
}

TEST_F(RunTest, WarmUpDoesNotCount) {
  std::atomic<int> calls = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    ++calls;
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.arrivals = [] { return ConstantArrivals(100); };
  plan_.in_flight = 1000;
  plan_.limits.warm_up = milliseconds(500);
  plan_.limits.duration = milliseconds(1000);
  const Outcome outcome = Measure();
  EXPECT_EQ(outcome.total.requests(), 100);
  EXPECT_EQ(calls, 150);
  EXPECT_DOUBLE_EQ(outcome.seconds, 1);
}

// From 1 s to 2 s after its first call, the server sends no response.
TEST_F(RunTest, OpenLoopCountsAllWhoWaitForAStall) {
  std::once_flag once;
  Clock::time_point first;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    std::call_once(once, [&] { first = Clock::now(); });
    if (Clock::now() >= first + seconds(1)) std::this_thread::sleep_until(first + seconds(2));
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.limits.duration = milliseconds(3000);
  plan_.in_flight = 1000;
  plan_.arrivals = [] { return ConstantArrivals(100); };
  const Outcome open = Measure();
  EXPECT_EQ(open.total.requests(), 300);
  // 90 requests came more than 100 ms before the end of the stall, and 50 more than 500 ms.
  EXPECT_GE(Above(open.total.latency, milliseconds(100)), 75);
  EXPECT_GE(Above(open.total.latency, milliseconds(500)), 40);
  EXPECT_GE(open.total.latency.max(), Nanos(milliseconds(900)).count());
}

// A stalled server holds all slots. Requests that are due meanwhile are sent late, and their
// latency counts from the time they were due.
TEST_F(RunTest, HeldBackRequestsCountFromWhenTheyWereDue) {
  std::once_flag once;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    std::call_once(once, [] { std::this_thread::sleep_for(seconds(1)); });
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.limits.duration = milliseconds(1500);
  plan_.in_flight = 1;
  plan_.arrivals = [] { return ConstantArrivals(100); };
  const Outcome outcome = Measure(false, 1);
  EXPECT_EQ(outcome.total.requests(), 150);
  EXPECT_GE(outcome.total.held, 90);
  EXPECT_GE(Above(outcome.total.latency, milliseconds(500)), 45);
  EXPECT_LE(Above(outcome.total.service, milliseconds(500)), 5);
}

// Every response takes at least 5 ms, and every hundredth 150 ms. This holds however busy the
// machine is.
TEST_F(RunTest, InjectedDelaysAreInTheFiguresOfBothLoops) {
  constexpr Nanos kUsual = milliseconds(5);
  constexpr Nanos kRare = milliseconds(150);
  std::atomic<int> calls = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    std::this_thread::sleep_for(++calls % 100 == 0 ? kRare : kUsual);
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.limits.requests = 1000;
  plan_.in_flight = 8;
  for (const bool open_loop : {false, true}) {
    calls = 0;
    if (open_loop) {
      plan_.arrivals = [] { return ConstantArrivals(500); };
      plan_.in_flight = 1000;
    }
    const Outcome outcome = Measure();
    ASSERT_EQ(outcome.total.answered(), 1000);
    for (const Histogram* histogram : {&outcome.total.latency, &outcome.total.service}) {
      EXPECT_GE(histogram->min(), kUsual.count());
      // A slot is 0.1% wide.
      EXPECT_GE(Above(*histogram, kRare * 999 / 1000), 10);
      EXPECT_GE(histogram->Mean(), static_cast<double>((990 * kUsual + 10 * kRare).count()) / 1000);
      EXPECT_GE(histogram->ValueAt(0.995), kRare.count() * 999 / 1000);
    }
  }
}

// The server is slow on purpose, so that rate and latency depend on it and not on a busy machine.
TEST_F(RunTest, EndsOnceItIsSteady) {
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    std::this_thread::sleep_for(milliseconds(20));
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  plan_.limits.duration = seconds(600);
  plan_.windows = {milliseconds(1000), SteadyBy::kP50, /*until_steady=*/true};
  plan_.in_flight = 4;
  const Outcome outcome = Measure();
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_TRUE(outcome.steadiness.steady());
  EXPECT_GE(outcome.seconds, 3);
  EXPECT_LT(outcome.seconds, 600);
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

TEST_F(RunTest, CanBeStoppedEarly) {
  plan_.limits.duration = seconds(600);
  plan_.in_flight = 2;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(500));
    stop_ = true;
  });
  const Outcome outcome = Measure();
  stopper.join();
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_GT(outcome.total.answered(), 0);
  EXPECT_LT(outcome.seconds, 60);
}

TEST_F(RunTest, RefusedConnectionsAreAnError) {
  server_.Stop();
  EXPECT_EQ(Connect(server_.target(), 2, milliseconds(300)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(RunTest, AServerThatGoesAwayEndsInErrorsNotInAHang) {
  plan_.limits.duration = milliseconds(800);
  plan_.in_flight = 4;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(300));
    server_.Stop();
  });
  const Outcome outcome = Measure(/*streaming=*/true);
  stopper.join();
  EXPECT_GT(outcome.total.answered(), 0);
  EXPECT_GT(outcome.total.failed(), 0);
}

}  // namespace
}  // namespace hellocnn::load
