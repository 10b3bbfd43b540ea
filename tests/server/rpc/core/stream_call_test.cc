#include "server/rpc/core/stream_call.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/rpc/core/call_fixture.h"
#include "tests/testing/plain_status.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::FakeStreamRpc;
using ::hellocnn::testing::Plain;
using Call = StreamCall<ClassifyStreamCodec>;

class StreamCallTest : public CallTest {
 protected:
  static std::string Request(std::uint64_t id, int pixel) {
    auto request = RequestOf<v1::ClassifyStreamRequest>({pixel});
    request.set_id(id);
    return request.SerializeAsString();
  }
  static v1::ClassifyStreamResponse Parsed(const std::string& bytes) {
    v1::ClassifyStreamResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    return response;
  }
  void Call(FakeStreamRpc& rpc) {
    rpc.Call(std::make_shared<server::StreamCall<ClassifyStreamCodec>>(&context_, method_, &rpc));
  }
};

TEST_F(StreamCallTest, EachRequestGetsItsResponse) {
  Serve(2);
  FakeStreamRpc rpc;
  Call(rpc);
  std::thread sender([&rpc] {
    for (std::uint64_t id = 0; id < 200; ++id) {
      ASSERT_TRUE(rpc.Send(Request(id, static_cast<int>(id % 100))));
    }
    rpc.HalfClose();
  });
  std::vector<bool> seen(200);
  while (const std::optional<std::string> bytes = rpc.Take()) {
    const v1::ClassifyStreamResponse response = Parsed(*bytes);
    ASSERT_LT(response.id(), seen.size());
    EXPECT_FALSE(seen[response.id()]);
    seen[response.id()] = true;
    if (response.has_result()) {
      EXPECT_EQ(response.result().predictions(0).class_index(), response.id() % 10);
    } else {
      EXPECT_EQ(response.error().code(), 8) << response.error().message();  // the queue is full
    }
  }
  sender.join();
  EXPECT_TRUE(rpc.WaitUntilOver().ok());
  EXPECT_THAT(seen, ::testing::Each(true));
  EXPECT_EQ(metrics_.requests().size(), 200U);
}

TEST_F(StreamCallTest, AMalformedRequestEndsTheStreamAfterEarlierResponses) {
  Serve(1);
  engines_.Hold();
  FakeStreamRpc rpc;
  Call(rpc);
  ASSERT_TRUE(rpc.Send(Request(1, 7)));
  engines_.WaitUntilHeld(1);
  ASSERT_TRUE(rpc.Send(std::string(2, '\0')));
  engines_.Release();
  const std::optional<std::string> response = rpc.Take();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(Parsed(*response).id(), 1U);
  EXPECT_EQ(rpc.WaitUntilOver().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(metrics_.requests().size(), 2U);
}

TEST_F(StreamCallTest, RequestsOfAnotherCallerDisplaceThose) {
  Serve(1);
  engines_.Hold();
  FakeStreamRpc rpc;
  Call(rpc);
  ASSERT_TRUE(rpc.Send(Request(0, 7)));
  engines_.WaitUntilHeld(1);
  for (std::uint64_t id = 1; id <= kCapacity; ++id) ASSERT_TRUE(rpc.Send(Request(id, 7)));
  FakeStreamRpc other;
  other.set_caller(1);
  Call(other);
  ASSERT_TRUE(other.Send(Request(1, 7)));
  engines_.Release();
  rpc.HalfClose();
  other.HalfClose();
  EXPECT_TRUE(Parsed(*other.Take()).has_result());
  int displaced = 0;
  while (const std::optional<std::string> bytes = rpc.Take()) {
    const v1::ClassifyStreamResponse response = Parsed(*bytes);
    if (response.has_result()) continue;
    ++displaced;
    EXPECT_EQ(response.id(), std::uint64_t{kCapacity});
    EXPECT_EQ(response.error().code(), 8) << response.error().message();
  }
  EXPECT_EQ(displaced, 1);
  EXPECT_TRUE(rpc.WaitUntilOver().ok());
  EXPECT_TRUE(other.WaitUntilOver().ok());
}

// A client sends and receives at the same time, while a third thread cancels the stream, drains the
// server or does neither. Every request that was read is accounted for exactly once.
TEST_F(StreamCallTest, WhateverMeetsEachRequestIsAccountedForOnce) {
  Serve(2);
  constexpr int kSeeds = 300;
  std::size_t sent_before = 0;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    std::minstd_rand random(seed + 1);
    const int requests = static_cast<int>(random() % 40);
    const int taken_most = static_cast<int>(random() % 50);
    const bool cancel = random() % 2 == 0;
    const unsigned spins = random() % 200;
    const bool malformed = random() % 4 == 0;
    FakeStreamRpc rpc;
    Call(rpc);
    std::atomic<std::size_t> sent = 0;
    std::thread sender([&] {
      for (int i = 0; i < requests; ++i) {
        if (!rpc.Send(Request(static_cast<std::uint64_t>(i), i))) return;
        ++sent;
      }
      if (malformed && rpc.Send(std::string(2, '\0'))) {
        ++sent;
        return;
      }
      rpc.HalfClose();
    });
    std::thread taker([&] {
      // Only a client that cancels stops reading responses: any other would wait forever.
      for (int i = 0; (!cancel || i < taken_most) && rpc.Take().has_value(); ++i) {
      }
    });
    if (cancel) {
      for (unsigned i = 0; i < spins; ++i) std::this_thread::yield();
      rpc.Cancel();
    }
    sender.join();
    taker.join();
    const absl::Status status = rpc.WaitUntilOver();
    if (!cancel) {
      EXPECT_EQ(status.code(),
                malformed ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kOk)
          << status;
    }
    sent_before += sent;
    ASSERT_EQ(metrics_.requests().size(), sent_before) << seed;
  }
  EXPECT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
}

// The same while the server begins to drain.
TEST_F(StreamCallTest, ADrainMeetsStreamsAtAnyMoment) {
  Serve(2);
  constexpr int kStreams = 24;
  std::vector<std::unique_ptr<FakeStreamRpc>> rpcs;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> sent = 0;
  std::atomic<std::size_t> taken = 0;
  for (int s = 0; s < kStreams; ++s) {
    FakeStreamRpc& rpc = *rpcs.emplace_back(std::make_unique<FakeStreamRpc>());
    Call(rpc);
    threads.emplace_back([&rpc, &sent] {
      for (std::uint64_t id = 0; rpc.Send(Request(id, 3)); ++id) ++sent;
    });
    threads.emplace_back([&rpc, &taken] {
      while (rpc.Take().has_value()) ++taken;
    });
  }
  while (taken < 200) std::this_thread::yield();
  EXPECT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  for (std::thread& thread : threads) thread.join();
  for (const auto& rpc : rpcs) {
    EXPECT_EQ(Plain(rpc->WaitUntilOver()), absl::UnavailableError("server is draining"));
  }
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  EXPECT_EQ(metrics_.requests().size(), sent);
  // A request that arrives while its stream finishes gets the end of the stream as its response.
  EXPECT_LE(taken, sent);
  EXPECT_LE(sent - taken, kStreams);
}

}  // namespace
}  // namespace hellocnn::server
