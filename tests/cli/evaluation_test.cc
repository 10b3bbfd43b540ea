#include "cli/commands/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/client/fake_server.h"

namespace hellocnn::cli {
namespace {

using client::FakeServer;

struct Set {
  std::vector<client::Image> images;
  std::vector<int> labels;
};

// Returns `count` images, which the fake server classifies as 0, 1, … 9, 0, …. All labels agree
// except the first.
Set MakeSet(int count) {
  Set set;
  for (int i = 0; i < count; ++i) {
    set.images.push_back(client::Uniform(static_cast<std::uint8_t>(i % 10)));
    set.labels.push_back(i == 0 ? 5 : i % 10);
  }
  return set;
}

TEST(Evaluate, CountsEachImageOnce) {
  const FakeServer server;
  const Set set = MakeSet(103);
  std::int64_t last = 0;
  const auto evaluation =
      Evaluate(server.Connect(), set.images, set.labels, {.batch = 8, .concurrency = 3},
               [&](std::int64_t done) { last = done; });
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->images, 103);
  EXPECT_EQ(evaluation->correct, 102);
  EXPECT_EQ(evaluation->confusion[5][0], 1);
  EXPECT_EQ(evaluation->confusion[0][0], 10);
  EXPECT_EQ(evaluation->retries, 0);
  EXPECT_EQ(last, 103);
}

TEST(Evaluate, KeepsToTheBatchAndTheConcurrency) {
  FakeServer server;
  std::atomic<int> in_flight = 0;
  std::atomic<int> most = 0;
  std::atomic<int> largest = 0;
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    const int now = ++in_flight;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    for (int seen = largest; request.images_size() > seen &&
                             !largest.compare_exchange_weak(seen, request.images_size());) {
    }
    response = FakeServer::Answer(request.images());
    --in_flight;
    return grpc::Status::OK;
  };
  const Set set = MakeSet(100);
  ASSERT_TRUE(
      Evaluate(server.Connect(), set.images, set.labels, {.batch = 7, .concurrency = 2}, [](auto) {
      }).ok());
  EXPECT_LE(most, 2);
  EXPECT_EQ(largest, 7);
}

TEST(Evaluate, WaitsOutAFullQueue) {
  FakeServer server;
  std::atomic<int> calls = 0;
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    if (++calls % 2 == 1) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Set set = MakeSet(40);
  const auto evaluation = Evaluate(
      server.Connect(), set.images, set.labels,
      {.batch = 10, .concurrency = 1, .backoff = {.first = absl::Microseconds(100)}}, [](auto) {});
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->images, 40);
  EXPECT_GE(evaluation->retries, 4);
}

TEST(Evaluate, GivesUpOnAQueueThatStaysFull) {
  FakeServer server;
  std::atomic<int> calls = 0;
  server.classify = [&](auto&, auto&, auto&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  const Set set = MakeSet(5);
  EvaluationOptions options{.batch = 5, .concurrency = 1, .backoff = {.most_attempts = 4}};
  options.backoff.first = options.backoff.longest = absl::Microseconds(100);
  const auto evaluation = Evaluate(server.Connect(), set.images, set.labels, options, [](auto) {});
  EXPECT_EQ(evaluation.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 4);
}

TEST(Evaluate, AnotherErrorEndsIt) {
  FakeServer server;
  std::atomic<int> calls = 0;
  server.classify = [&](auto&, auto&, auto&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::INTERNAL, "the engine failed");
  };
  const Set set = MakeSet(100);
  const auto evaluation = Evaluate(server.Connect(), set.images, set.labels,
                                   {.batch = 1, .concurrency = 4}, [](auto) {});
  EXPECT_EQ(evaluation.status().code(), absl::StatusCode::kInternal);
  EXPECT_LE(calls, 8);
}

}  // namespace
}  // namespace hellocnn::cli
