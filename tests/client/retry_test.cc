// Tests how gRPC retries with the service config that the client gives it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "hellocnn/client/client.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

constexpr absl::Duration kEver = absl::Hours(1);  // longer than any test lasts

// Makes the server fail the first `failures` calls, and counts all calls.
class Failing {
 public:
  Failing(FakeServer& server, int failures, grpc::StatusCode code, std::string pushback = "") {
    server.classify = [attempts = attempts_, failures, code, pushback](
                          grpc::ServerContext& context, const v1::ClassifyRequest& request,
                          v1::ClassifyResponse& response) {
      if (++*attempts <= failures) {
        if (!pushback.empty()) context.AddTrailingMetadata("grpc-retry-pushback-ms", pushback);
        return grpc::Status(code, "not now");
      }
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }
  int attempts() const { return *attempts_; }

 private:
  // Shared with the server, which lives longer.
  const std::shared_ptr<std::atomic<int>> attempts_ = std::make_shared<std::atomic<int>>(0);
};

absl::Status Call(const FakeServer& server, const RetryOptions& retry, int images = 1) {
  const Client client =
      Client::Create(
          {.target = server.target(), .default_timeout = absl::Minutes(1), .retry = retry})
          .value();
  return client.Classify(std::vector<Image>(images, Uniform(3))).status();
}

TEST(Retry, NothingIsSentAgainByDefault) {
  FakeServer server;
  const Failing failing(server, 1, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server.Connect().Classify({Uniform(1)}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(failing.attempts(), 1);
}

TEST(Retry, UntilItSucceeds) {
  FakeServer server;
  const Failing failing(server, 3, grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Call(server, {.max_attempts = 4}).ok());
  EXPECT_EQ(failing.attempts(), 4);
}

TEST(Retry, NoMoreThanTheAttempts) {
  FakeServer server;
  const Failing failing(server, 100, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(server, {.max_attempts = 3}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failing.attempts(), 3);
}

TEST(Retry, OnlyOfTheCodes) {
  FakeServer server;
  const Failing full(server, 2, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Call(server, {}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.attempts(), 1);
  EXPECT_TRUE(Call(server, {.codes = {absl::StatusCode::kResourceExhausted}}).ok());
  EXPECT_EQ(full.attempts(), 3);
}

TEST(Retry, NotOfAModelThatIsNotServed) {
  FakeServer server;
  const Failing unknown(server, 100, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Call(server, {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(unknown.attempts(), 1);
}

TEST(Retry, OfListingTheModels) {
  std::atomic<int> attempts = 0;
  FakeServer server;  // declared after what its handler uses
  server.list_models = [&](v1::ListModelsResponse& response) {
    if (++attempts == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
    response = FakeServer::ModelsMessage();
    return grpc::Status::OK;
  };
  const Client client =
      Client::Create({.target = server.target(), .retry = RetryOptions()}).value();
  EXPECT_TRUE(client.ListModels().ok());
  EXPECT_EQ(attempts, 2);
}

// By default, gRPC stops keeping a request for retries at 256 KiB.
TEST(Retry, OfLargeRequestsToo) {
  FakeServer server;
  const Failing failing(server, 1, grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Call(server, {}, 1024).ok());
  EXPECT_EQ(failing.attempts(), 2);
}

// The backoff is an hour, so only the time that the server sends can make the retry happen in time.
TEST(Retry, ComesBackWhenTheServerSays) {
  FakeServer server;
  const Failing full(server, 2, grpc::StatusCode::RESOURCE_EXHAUSTED, "1");
  EXPECT_TRUE(Call(server, {.codes = {absl::StatusCode::kResourceExhausted},
                            .initial_backoff = kEver,
                            .max_backoff = kEver})
                  .ok());
  EXPECT_EQ(full.attempts(), 3);
}

TEST(Retry, WaitsAsLongAsTheServerSays) {
  FakeServer server;
  const Failing full(server, 2, grpc::StatusCode::RESOURCE_EXHAUSTED, "150");
  const absl::Time start = absl::Now();
  EXPECT_TRUE(Call(server, {.codes = {absl::StatusCode::kResourceExhausted},
                            .initial_backoff = absl::Milliseconds(1),
                            .max_backoff = absl::Milliseconds(1)})
                  .ok());
  // gRPC counts in whole milliseconds.
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(2 * 149));
}

TEST(Retry, NotWhenTheServerSaysNever) {
  FakeServer server;
  const Failing full(server, 1, grpc::StatusCode::UNAVAILABLE, "-1");
  EXPECT_EQ(Call(server, {}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(full.attempts(), 1);
}

TEST(Retry, ThrottleStopsItWhenHalfTheTokensAreGone) {
  FakeServer server;
  const Failing failing(server, 100, grpc::StatusCode::UNAVAILABLE);
  // The first failure leaves 3 of 4 tokens and the second leaves 2, which is half.
  for (int call = 0; call < 10; ++call) {
    EXPECT_FALSE(Call(server, {.max_attempts = 5, .throttle_tokens = 4}).ok());
  }
  EXPECT_EQ(failing.attempts(), 2 + 9);
}

TEST(Retry, SuccessRefillsTheThrottle) {
  FakeServer server;
  const RetryOptions retry{.max_attempts = 2, .throttle_tokens = 4, .throttle_ratio = 1};
  {
    const Failing failing(server, 100, grpc::StatusCode::UNAVAILABLE);
    EXPECT_FALSE(Call(server, retry).ok());
    EXPECT_FALSE(Call(server, retry).ok());
    EXPECT_EQ(failing.attempts(), 3);
  }
  {
    const Failing fine(server, 0, grpc::StatusCode::OK);
    for (int call = 0; call < 4; ++call) EXPECT_TRUE(Call(server, retry).ok());
  }
  const Failing failing(server, 1, grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Call(server, retry).ok());
  EXPECT_EQ(failing.attempts(), 2);
}

// Returns the addresses from which the calls of a client come.
std::set<std::string> Peers(int connections, int calls) {
  Mutex mutex;
  std::set<std::string> peers;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext& context, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    const MutexLock lock(&mutex);
    peers.insert(context.peer());
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client =
      Client::Create({.target = server.target(), .connections = connections}).value();
  for (int call = 0; call < calls; ++call) EXPECT_TRUE(client.Classify({Uniform(1)}).ok());
  const MutexLock lock(&mutex);
  return peers;
}

TEST(Connections, AreAsManyAsAskedForAndUsedInTurn) {
  EXPECT_EQ(Peers(1, 6).size(), 1U);
  EXPECT_EQ(Peers(3, 3).size(), 3U);
  EXPECT_EQ(Peers(3, 9).size(), 3U);
}

TEST(Connections, AreSharedByCopiesOfAClient) {
  Mutex mutex;
  std::set<std::string> peers;
  FakeServer server;  // declared after what its handler uses
  server.get_model = [&](grpc::ServerContext& context, auto&, v1::GetModelResponse& response) {
    const MutexLock lock(&mutex);
    peers.insert(context.peer());
    response = FakeServer::ModelMessage();
    return grpc::Status::OK;
  };
  const Client client = server.Connect();
  const Client copy = client;
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_TRUE(copy.GetModel().ok());
  EXPECT_TRUE(server.Connect().GetModel().ok());
  const MutexLock lock(&mutex);
  EXPECT_EQ(peers.size(), 2U);
}

}  // namespace
}  // namespace hellocnn::client
