#include "hellocnn/client/batching_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

using ::testing::ElementsAre;

// A server that responds once `open` is notified, and records the size of each call.
class GatedServer {
 public:
  GatedServer() {
    server.classify = [this](grpc::ServerContext&, const v1::ClassifyRequest& request,
                             v1::ClassifyResponse& response) {
      {
        const MutexLock lock(&mutex_);
        sizes_.push_back(request.images_size());
        called_.SignalAll();
      }
      open.Wait();
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }

  std::vector<int> WaitForCalls(std::size_t count) {
    const MutexLock lock(&mutex_);
    while (sizes_.size() < count) called_.Wait(&mutex_);
    return sizes_;
  }

  Notification open;

 private:
  Mutex mutex_;
  CondVar called_;
  std::vector<int> sizes_ ABSL_GUARDED_BY(mutex_);

 public:
  FakeServer server;  // destroyed first, because its handler uses the other members
};

BatchingClient Batching(const FakeServer& server, const BatchingOptions& options = {}) {
  return BatchingClient::Create(server.Connect(absl::Minutes(1)), options).value();
}

TEST(BatchingClient, EachCallerGetsItsOwnAnswer) {
  const FakeServer server;
  BatchingClient batching = Batching(server, {.max_batch_size = 7, .max_calls_in_flight = 2});
  std::atomic<int> answers = 0;
  std::vector<std::thread> callers;
  callers.reserve(16);
  for (int caller = 0; caller < 16; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 50; ++i) {
        const int level = (caller * 50 + i) % 256;
        const auto result = batching.Classify(Uniform(static_cast<std::uint8_t>(level)));
        ASSERT_TRUE(result.ok()) << result.status();
        ASSERT_EQ(result->predictions.size(), 1U);
        EXPECT_EQ(result->predictions[0].class_index, level % 10);
        EXPECT_EQ(result->model_name, "fake");
        ++answers;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answers, 16 * 50);
}

TEST(BatchingClient, WhatComesWhileACallIsUnderWayGoesTogether) {
  GatedServer gated;
  BatchingClient batching = Batching(gated.server, {.max_calls_in_flight = 1});
  std::vector<std::thread> callers;
  const auto call = [&](std::uint8_t level) {
    const auto result = batching.Classify(Uniform(level));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->predictions[0].class_index, level);
  };
  callers.emplace_back(call, 0);
  EXPECT_THAT(gated.WaitForCalls(1), ElementsAre(1)) << "it did not go at once";
  for (std::uint8_t level = 1; level <= 4; ++level) callers.emplace_back(call, level);
  while (batching.queued_images() < 4) std::this_thread::yield();
  gated.open.Notify();
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(gated.WaitForCalls(2), ElementsAre(1, 4));
  EXPECT_EQ(batching.queued_images(), 0);
}

TEST(BatchingClient, RefusesWhatItHasNoRoomFor) {
  GatedServer gated;
  BatchingClient batching = Batching(gated.server, {.max_calls_in_flight = 1, .queue_capacity = 1});
  std::thread sent([&] { EXPECT_TRUE(batching.Classify(Uniform(1)).ok()); });
  gated.WaitForCalls(1);
  std::thread waiting([&] { EXPECT_TRUE(batching.Classify(Uniform(1)).ok()); });
  while (batching.queued_images() < 1) std::this_thread::yield();
  EXPECT_EQ(batching.Classify(Uniform(1)).status().code(), absl::StatusCode::kResourceExhausted);
  gated.open.Notify();
  sent.join();
  waiting.join();
}

TEST(BatchingClient, FailureReachesEachCaller) {
  FakeServer server;
  server.classify = [](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  };
  BatchingClient batching = Batching(server);
  std::atomic<int> failures = 0;
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      if (absl::IsInternal(batching.Classify(Uniform(1)).status())) ++failures;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, 8);
}

TEST(BatchingClient, EachCallerKeepsItsOwnDeadline) {
  GatedServer gated;
  BatchingClient batching = Batching(gated.server, {.max_calls_in_flight = 1});
  std::thread patient([&] { EXPECT_TRUE(batching.Classify(Uniform(1)).ok()); });
  gated.WaitForCalls(1);
  EXPECT_EQ(batching.Classify(Uniform(2), absl::Milliseconds(10)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  gated.open.Notify();
  patient.join();
}

TEST(BatchingClient, RefusesBadArguments) {
  const FakeServer server;
  EXPECT_EQ(BatchingClient::Create(server.Connect(), {.max_batch_size = 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  BatchingClient batching = Batching(server);
  EXPECT_EQ(batching.Classify(Uniform(1), absl::ZeroDuration()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(BatchingClient, DestructionWaitsForWhatWasAccepted) {
  GatedServer gated;
  std::optional<BatchingClient> batching = Batching(gated.server, {.max_calls_in_flight = 1});
  // Both callers have timed out, but the first call is in flight and gets its response afterwards.
  EXPECT_FALSE(batching->Classify(Uniform(1), absl::Milliseconds(1)).ok());
  EXPECT_FALSE(batching->Classify(Uniform(2), absl::Milliseconds(1)).ok());
  batching.reset();
  gated.open.Notify();
}

TEST(BatchingClient, IsMovable) {
  const FakeServer server;
  BatchingClient one = Batching(server);
  BatchingClient other = std::move(one);
  EXPECT_TRUE(other.Classify(Uniform(1)).ok());
  other = Batching(server);
  EXPECT_EQ(other.Classify(Uniform(5))->predictions[0].class_index, 5);
}

}  // namespace
}  // namespace hellocnn::client
