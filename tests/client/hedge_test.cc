#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "client/hedge_budget.h"
#include "hellocnn/client/client.h"
#include "tests/client/fake_server.h"
#include "tests/client/reports.h"

namespace hellocnn::client {
namespace {

Client Hedging(const FakeServer& server, Reports& reports, const HedgeOptions& hedge) {
  return Client::Create({.target = server.target(),
                         .default_timeout = absl::Minutes(1),
                         .connections = 2,
                         .hedge = hedge,
                         .on_call_end = reports.Hook()})
      .value();
}

constexpr HedgeOptions kSoon{.after = absl::Milliseconds(1)};

TEST(Hedge, SecondAttemptAnswersWhileTheFirstHangs) {
  Notification release;
  Mutex mutex;
  std::array<std::string, 2> peers;
  std::atomic<int> attempts = 0;
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext& context, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    const int attempt = attempts++;
    {
      const MutexLock lock(&mutex);
      peers.at(attempt) = context.peer();
    }
    if (attempt == 0) release.Wait();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client = Hedging(server, reports, kSoon);
  const auto result = client.Classify({Uniform(4), Uniform(2)});
  const std::vector<CallReport> reported = reports.WaitFor(2);
  release.Notify();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->predictions[1].class_index, 2);
  EXPECT_EQ(attempts, 2);
  const MutexLock lock(&mutex);
  EXPECT_NE(peers[0], peers[1]) << "the second went over the same connection";
  EXPECT_EQ(reported[0].attempt, 2);
  EXPECT_TRUE(reported[0].decisive);
  EXPECT_TRUE(reported[0].status.ok());
  EXPECT_EQ(reported[0].images, 2);
  EXPECT_EQ(reported[1].attempt, 1);
  EXPECT_FALSE(reported[1].decisive);
  EXPECT_EQ(reported[1].status.code(), absl::StatusCode::kCancelled);
}

TEST(Hedge, GoesOverAnotherConnectionWhateverCallsComeBetween) {
  std::latch all(4);
  Notification release;
  Mutex mutex;
  std::map<int, std::set<std::string>> peers;  // peers of the attempts, by call
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext& context, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    {
      const MutexLock lock(&mutex);
      peers[request.images(0).gray8()[0]].insert(context.peer());
    }
    all.count_down();
    release.Wait();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client = Hedging(server, reports, kSoon);
  auto one = client.ClassifyFuture({Uniform(1)});
  auto two = client.ClassifyFuture({Uniform(2)});
  all.wait();
  release.Notify();
  EXPECT_TRUE(one.get().ok());
  EXPECT_TRUE(two.get().ok());
  reports.WaitFor(4);
  const MutexLock lock(&mutex);
  EXPECT_EQ(peers[1].size(), 2U);
  EXPECT_EQ(peers[2].size(), 2U);
}

TEST(Hedge, NoneWhenTheFirstAnswersInTime) {
  const FakeServer server;
  Reports reports;
  const Client client = Hedging(server, reports, {.after = absl::Hours(1)});
  EXPECT_TRUE(client.ClassifyFuture({Uniform(4)}).get().ok());
  const std::vector<CallReport> reported = reports.WaitFor(1);
  EXPECT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported[0].attempt, 1);
  EXPECT_TRUE(reported[0].decisive);
}

TEST(Hedge, FailureIsNotTheAnswerWhileAnotherAttemptIsUnderWay) {
  Notification second_began;
  std::atomic<int> attempts = 0;
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    if (attempts++ == 0) {
      second_began.Wait();
      return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
    }
    second_began.Notify();
    reports.WaitFor(1);  // the client knows that the first has failed
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client = Hedging(server, reports, kSoon);
  EXPECT_TRUE(client.Classify({Uniform(4)}).ok());
  const std::vector<CallReport> reported = reports.WaitFor(2);
  EXPECT_EQ(reported[0].status.code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(reported[0].decisive);
  EXPECT_TRUE(reported[1].decisive);
}

TEST(Hedge, LastFailureIsTheAnswer) {
  std::latch both(2);
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](auto&, auto&, auto&) {
    both.arrive_and_wait();
    return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  };
  const Client client = Hedging(server, reports, kSoon);
  EXPECT_EQ(client.Classify({Uniform(4)}).status().code(), absl::StatusCode::kInternal);
  const std::vector<CallReport> reported = reports.WaitFor(2);
  // They end at the same time on two threads, which may report in any order.
  EXPECT_NE(reported[0].decisive, reported[1].decisive);
}

TEST(Hedge, FailureBeforeTheHedgeIsTheAnswer) {
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  const Client client = Hedging(server, reports, {.after = absl::Hours(1)});
  EXPECT_EQ(client.Classify({Uniform(4)}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Hedge, NoMoreThanTheAttempts) {
  std::latch all(4);
  Notification release;
  std::atomic<int> attempts = 0;
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    ++attempts;
    all.count_down();
    release.Wait();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client =
      Hedging(server, reports, {.after = absl::Milliseconds(1), .max_attempts = 4});
  auto answer = client.ClassifyFuture({Uniform(4)});
  all.wait();
  release.Notify();
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(reports.WaitFor(4).size(), 4U);
  EXPECT_EQ(attempts, 4);
}

TEST(Hedge, CancellationEndsAllAttempts) {
  std::latch both(2);
  Notification release;
  Reports reports;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](auto&, auto&, auto&) {
    both.count_down();
    release.Wait();
    return grpc::Status::OK;
  };
  const Client client = Hedging(server, reports, kSoon);
  const Cancellation cancellation;
  auto answer = client.ClassifyFuture({Uniform(4)}, {.cancellation = cancellation});
  both.wait();
  cancellation.Cancel();
  EXPECT_EQ(answer.get().status().code(), absl::StatusCode::kCancelled);
  for (const CallReport& report : reports.WaitFor(2))
    EXPECT_EQ(report.status.code(), absl::StatusCode::kCancelled);
  release.Notify();
}

TEST(HedgeBudget, IsAShareOfTheCallsAfterTheFirstTen) {
  HedgeBudget budget(0.25);
  for (int hedge = 0; hedge < 10; ++hedge) EXPECT_TRUE(budget.TakeHedge());
  EXPECT_FALSE(budget.TakeHedge());
  for (int call = 0; call < 3; ++call) budget.OnCall();
  EXPECT_FALSE(budget.TakeHedge());
  budget.OnCall();
  EXPECT_TRUE(budget.TakeHedge());
  EXPECT_FALSE(budget.TakeHedge());
}

TEST(HedgeBudget, SavesNoMoreThanTen) {
  HedgeBudget budget(1);
  for (int call = 0; call < 1000; ++call) budget.OnCall();
  int hedges = 0;
  while (budget.TakeHedge()) ++hedges;
  EXPECT_EQ(hedges, 10);
}

}  // namespace
}  // namespace hellocnn::client
