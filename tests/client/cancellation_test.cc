// Tests how calls are cancelled, and what is reported of each kind of call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "hellocnn/client/client.h"
#include "tests/client/fake_server.h"
#include "tests/client/reports.h"

namespace hellocnn::client {
namespace {

// A server that holds all Classify calls until `release`. `came` counts the calls that have
// arrived.
struct HoldingServer {
  explicit HoldingServer(int calls = 1) : came(calls) {
    server.classify = [this](grpc::ServerContext&, const v1::ClassifyRequest& request,
                             v1::ClassifyResponse& response) {
      came.count_down();
      release.Wait();
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }
  std::latch came;
  Notification release;
  FakeServer server;  // destroyed first, because its handler uses the other members
};

using ::testing::HasSubstr;

constexpr auto kCancelled = absl::StatusCode::kCancelled;

TEST(Cancellation, EndsABlockingCall) {
  HoldingServer holding;
  const Client client = holding.server.Connect(absl::Minutes(1));
  const Cancellation cancellation;
  std::thread canceller([&] {
    holding.came.wait();
    cancellation.Cancel();
  });
  EXPECT_EQ(client.Classify({Uniform(1)}, {.cancellation = cancellation}).status().code(),
            kCancelled);
  canceller.join();
  holding.release.Notify();
}

TEST(Cancellation, EndsAllCallsOfAllCopies) {
  HoldingServer holding(3);
  const Client client = holding.server.Connect(absl::Minutes(1));
  const Cancellation cancellation;
  std::vector<std::future<absl::StatusOr<ClassifyResult>>> answers;
  for (int call = 0; call < 3; ++call) {
    const Cancellation copy = cancellation;
    answers.push_back(client.ClassifyFuture({Uniform(1)}, {.cancellation = copy}));
  }
  holding.came.wait();
  cancellation.Cancel();
  for (auto& answer : answers) EXPECT_EQ(answer.get().status().code(), kCancelled);
  holding.release.Notify();
}

TEST(Cancellation, EndsLaterCallsToo) {
  const FakeServer server;
  const Client client = server.Connect(absl::Minutes(1));
  const Cancellation cancellation;
  cancellation.Cancel();
  cancellation.Cancel();
  const CallOptions options{.cancellation = cancellation};
  EXPECT_EQ(client.Classify({Uniform(1)}, options).status().code(), kCancelled);
  EXPECT_EQ(client.ClassifyFuture({Uniform(1)}, options).get().status().code(), kCancelled);
  EXPECT_EQ(client.GetModel(options).status().code(), kCancelled);
  EXPECT_EQ(client.CheckHealth("", options).status().code(), kCancelled);
  ClassifyStream stream = client.OpenStream(options).value();
  (void)stream.Send(1, {Uniform(1)});
  EXPECT_EQ(stream.Finish().code(), kCancelled);
  EXPECT_TRUE(client.Classify({Uniform(1)}).ok()) << "others go on";
}

TEST(Cancellation, EndsAStream) {
  const FakeServer server;
  const Cancellation cancellation;
  ClassifyStream stream = server.Connect().OpenStream({.cancellation = cancellation}).value();
  ASSERT_TRUE(stream.Send(1, {Uniform(1)}).ok());
  ASSERT_TRUE(stream.Read().has_value());
  std::thread canceller([&] { cancellation.Cancel(); });
  EXPECT_FALSE(stream.Read().has_value());
  canceller.join();
  EXPECT_EQ(stream.Finish().code(), kCancelled);
}

// gRPC's server ends calls with CANCELLED that arrive while it shuts down.
TEST(Cancellation, ByTheServerMeansThatItIsNotAvailable) {
  FakeServer server;
  const grpc::Status cancelled(grpc::StatusCode::CANCELLED, "CANCELLED");
  server.classify = [cancelled](auto&, auto&, auto&) { return cancelled; };
  server.get_model = [cancelled](auto&, auto&, auto&) { return cancelled; };
  const Client client = server.Connect(absl::Minutes(1));
  const CallOptions options{.cancellation = Cancellation()};  // never used
  for (const absl::Status& status :
       {client.Classify({Uniform(1)}, options).status(), client.GetModel(options).status(),
        client.ClassifyFuture({Uniform(1)}, options).get().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(status.message(), HasSubstr("the server at " + server.target() +
                                            " is not available: it has cancelled the call"));
  }
}

TEST(Cancellation, ByTheServerOfAStreamMeansThatItIsNotAvailable) {
  FakeServer server;
  server.stream_end = [] { return grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED"); };
  server.stream_answer = [](auto&, auto&) { return false; };
  ClassifyStream stream = server.Connect(absl::Minutes(1)).OpenStream().value();
  ASSERT_TRUE(stream.Send(1, {Uniform(1)}).ok());
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kUnavailable);
}

TEST(Cancellation, ByTheCallerSaysSo) {
  const FakeServer server;
  const Client client = server.Connect(absl::Minutes(1));
  const Cancellation cancellation;
  cancellation.Cancel();
  const CallOptions options{.cancellation = cancellation};
  ClassifyStream stream = client.OpenStream().value();
  stream.Cancel();
  for (const absl::Status& status :
       {client.Classify({Uniform(1)}, options).status(), stream.Finish(),
        client.ClassifyFuture({Uniform(1)}, options).get().status()}) {
    EXPECT_EQ(status, absl::CancelledError("the client has cancelled the call"));
  }
}

TEST(Cancellation, OfWhatHasEndedDoesNothing) {
  const FakeServer server;
  const Cancellation cancellation;
  const Client client = server.Connect();
  EXPECT_TRUE(client.Classify({Uniform(1)}, {.cancellation = cancellation}).ok());
  EXPECT_TRUE(client.ClassifyFuture({Uniform(1)}, {.cancellation = cancellation}).get().ok());
  cancellation.Cancel();
}

TEST(Cancellation, FromACallbackOfACallThatItCancels) {
  HoldingServer holding;
  const Client client = holding.server.Connect(absl::Minutes(1));
  const Cancellation cancellation;
  Notification done;
  client.ClassifyAsync({Uniform(1)}, {.cancellation = cancellation}, [&](const auto& answer) {
    EXPECT_EQ(answer.status().code(), kCancelled);
    cancellation.Cancel();
    done.Notify();
  });
  holding.came.wait();
  cancellation.Cancel();
  done.Wait();
  holding.release.Notify();
}

TEST(ClassifyFuture, GivesTheAnswerOrTheRefusal) {
  const FakeServer server;
  const Client client = server.Connect();
  auto first = client.ClassifyFuture({Uniform(1)});
  auto second = client.ClassifyFuture({Uniform(2), Uniform(3)});
  EXPECT_EQ(first.get()->predictions[0].class_index, 1);
  EXPECT_EQ(second.get()->predictions[1].class_index, 3);
  EXPECT_EQ(client.ClassifyFuture({}).get().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CallReport, ComesOnceForEachCallOfEachKind) {
  FakeServer server;
  Reports reports;
  const Client client =
      Client::Create({.target = server.target(), .on_call_end = reports.Hook()}).value();
  EXPECT_TRUE(client.Classify({Uniform(1), Uniform(2)}).ok());
  EXPECT_TRUE(client.ClassifyFuture({Uniform(1)}).get().ok());
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_FALSE(client.CheckHealth("nobody").ok());
  {
    ClassifyStream stream = client.OpenStream().value();
    EXPECT_TRUE(stream.Send(1, {Uniform(1), Uniform(2)}).ok());
    EXPECT_TRUE(stream.Send(2, {Uniform(3)}).ok());
    stream.CloseSending();
    while (stream.Read()) {
    }
    EXPECT_TRUE(stream.Finish().ok());
  }
  { const ClassifyStream dropped = client.OpenStream().value(); }
  server.classify = [](auto&, auto&, auto&) { return grpc::Status::OK; };  // no predictions
  EXPECT_FALSE(client.Classify({Uniform(1)}).ok());
  EXPECT_FALSE(client.Classify({}).ok());  // rejected by the client, so not reported

  const std::vector<CallReport> reported = reports.WaitFor(7);
  ASSERT_EQ(reported.size(), 7U);
  const std::vector<std::tuple<std::string, absl::StatusCode, int>> wanted = {
      {"Classify", absl::StatusCode::kOk, 2},       {"Classify", absl::StatusCode::kOk, 1},
      {"GetModel", absl::StatusCode::kOk, 0},       {"Check", absl::StatusCode::kNotFound, 0},
      {"ClassifyStream", absl::StatusCode::kOk, 3}, {"ClassifyStream", kCancelled, 0},
      {"Classify", absl::StatusCode::kInternal, 1},
  };
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [method, code, images] = wanted[i];
    EXPECT_EQ(reported[i].method, method);
    EXPECT_EQ(reported[i].status.code(), code) << method;
    EXPECT_EQ(reported[i].images, images) << method;
    EXPECT_EQ(reported[i].attempt, 1);
    EXPECT_TRUE(reported[i].decisive);
    EXPECT_GE(reported[i].duration, absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace hellocnn::client
