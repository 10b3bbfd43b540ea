#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

using ::testing::HasSubstr;

TEST(ClassifyStream, AnswersWhatWasSentUntilTheLast) {
  const FakeServer server;
  ClassifyStream stream = server.Connect().OpenStream().value();
  std::thread writer([&] {
    for (std::uint64_t id = 0; id < 100; ++id) {
      EXPECT_TRUE(stream.Send(id, {Uniform(static_cast<std::uint8_t>(id))}).ok());
    }
    stream.CloseSending();
  });
  int answers = 0;
  while (const std::optional<StreamAnswer> answer = stream.Read()) {
    ASSERT_TRUE(answer->result.ok());
    EXPECT_EQ(answer->result->predictions[0].class_index, static_cast<int>(answer->id % 10));
    ++answers;
  }
  writer.join();
  EXPECT_EQ(answers, 100);
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(stream.Send(1, {Uniform(1)}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ClassifyStream, EachRequestHasThePriorityOfTheStream) {
  std::atomic<int> low = 0;
  FakeServer server;
  server.stream_answer = [&](const v1::ClassifyStreamRequest& request,
                             v1::ClassifyStreamResponse& response) {
    if (request.priority() == v1::PRIORITY_LOW) ++low;
    *response.mutable_result() = FakeServer::Answer(request.images());
    return true;
  };
  const Client client = server.Connect();
  for (const Priority priority : {Priority::kNormal, Priority::kLow}) {
    ClassifyStream stream = client.OpenStream({.priority = priority}).value();
    for (std::uint64_t id = 0; id < 3; ++id) EXPECT_TRUE(stream.Send(id, {Uniform(1)}).ok());
    EXPECT_TRUE(stream.Finish().ok());
  }
  EXPECT_EQ(low, 3);
}

TEST(ClassifyStream, EachRequestHasATimeout) {
  Mutex mutex;
  std::vector<double> seen;
  FakeServer server;  // declared after what its handler uses
  server.stream_answer = [&](const v1::ClassifyStreamRequest& request,
                             v1::ClassifyStreamResponse& response) {
    const MutexLock lock(&mutex);
    seen.push_back(request.has_timeout()
                       ? request.timeout().seconds() + request.timeout().nanos() * 1e-9
                       : -1);
    *response.mutable_result() = FakeServer::Answer(request.images());
    return true;
  };
  ClassifyStream stream = server.Connect(absl::Seconds(3)).OpenStream().value();
  EXPECT_TRUE(stream.Send(1, {Uniform(1)}).ok());
  EXPECT_TRUE(stream.Send(2, {Uniform(1)}, absl::Milliseconds(1250)).ok());
  EXPECT_TRUE(stream.Send(3, {Uniform(1)}, absl::InfiniteDuration()).ok());
  EXPECT_EQ(stream.Send(4, {Uniform(1)}, absl::ZeroDuration()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(stream.Send(5, {}).code(), absl::StatusCode::kInvalidArgument);
  stream.CloseSending();
  while (stream.Read()) {
  }
  EXPECT_TRUE(stream.Finish().ok());
  const MutexLock lock(&mutex);
  EXPECT_THAT(seen, ::testing::ElementsAre(3, ::testing::DoubleEq(1.25), -1));
}

TEST(ClassifyStream, OneFailureDoesNotEndTheStream) {
  FakeServer server;
  server.stream_answer = [](const v1::ClassifyStreamRequest& request,
                            v1::ClassifyStreamResponse& response) {
    if (request.id() == 1) {
      response.mutable_error()->set_code(8);
      response.mutable_error()->set_message("the queue is full");
    } else if (request.id() == 3) {
      response.mutable_error()->set_code(99);
    } else {
      *response.mutable_result() = FakeServer::Answer(request.images());
    }
    return true;
  };
  ClassifyStream stream = server.Connect().OpenStream().value();
  for (const std::uint64_t id : {1, 2, 3}) ASSERT_TRUE(stream.Send(id, {Uniform(5)}).ok());
  const std::optional<StreamAnswer> first = stream.Read();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->result.status(), absl::ResourceExhaustedError("the queue is full"));
  const std::optional<StreamAnswer> second = stream.Read();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->result.ok());
  EXPECT_EQ(stream.Read()->result.status().code(), absl::StatusCode::kInternal);
  stream.CloseSending();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, SendGivesUpIfNobodyReadsTheResponses) {
  const FakeServer server;
  ClassifyStream stream = server.Connect().OpenStream().value();
  const std::vector<Image> images(16, Uniform(5));
  absl::Status sent;
  while (sent.ok()) sent = stream.Send(1, images, absl::Milliseconds(200));
  EXPECT_EQ(sent.code(), absl::StatusCode::kDeadlineExceeded) << sent;
  EXPECT_TRUE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, FinishDiscardsWhatWasNotRead) {
  const FakeServer server;
  ClassifyStream stream = server.Connect().OpenStream().value();
  for (std::uint64_t id = 0; id < 10; ++id) ASSERT_TRUE(stream.Send(id, {Uniform(5)}).ok());
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_FALSE(stream.Read().has_value());
}

TEST(ClassifyStream, SaysWhyItEnded) {
  FakeServer server;
  server.stream_answer = [](auto&, auto&) { return false; };
  ClassifyStream stream = server.Connect().OpenStream().value();
  ASSERT_TRUE(stream.Send(1, {Uniform(5)}).ok());
  EXPECT_FALSE(stream.Read().has_value());
  const absl::Status status = stream.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("draining"));
}

TEST(ClassifyStream, UnreachableServerShowsAtFinish) {
  FakeServer server;
  server.Stop();
  ClassifyStream stream = server.Connect().OpenStream().value();
  (void)stream.Send(1, {Uniform(5)});
  EXPECT_FALSE(stream.Read().has_value());
  const absl::Status status = stream.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(server.target()));
}

TEST(ClassifyStream, CancelEndsIt) {
  const FakeServer server;
  ClassifyStream stream = server.Connect().OpenStream().value();
  ASSERT_TRUE(stream.Send(1, {Uniform(5)}).ok());
  ASSERT_TRUE(stream.Read().has_value());
  std::thread canceller([&] { stream.Cancel(); });
  EXPECT_FALSE(stream.Read().has_value());
  canceller.join();
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kCancelled);
}

TEST(ClassifyStream, MayBeDroppedUnfinishedOrUnused) {
  const FakeServer server;
  const Client client = server.Connect();
  { const ClassifyStream unused = client.OpenStream().value(); }
  ClassifyStream stream = client.OpenStream().value();
  ASSERT_TRUE(stream.Send(1, {Uniform(5)}).ok());
  stream = client.OpenStream().value();
  ASSERT_TRUE(stream.Send(2, {Uniform(6)}).ok());
  EXPECT_EQ(stream.Read()->id, 2U);
}

}  // namespace
}  // namespace hellocnn::client
