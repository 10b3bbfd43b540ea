#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/clock.h"
#include "server/rpc/core/stream_session.h"
#include "tests/server/rpc/service_fixture.h"

namespace hellocnn::server {
namespace {

using Answers = std::map<std::uint64_t, v1::ClassifyStreamResponse>;

class ClassifyStreamTest : public ServiceTest {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;

  std::unique_ptr<Stream> Open() { return stub_->ClassifyStream(&context_); }

  static Answers ReadAll(Stream& stream) {
    Answers answers;
    v1::ClassifyStreamResponse answer;
    while (stream.Read(&answer)) answers[answer.id()] = answer;
    return answers;
  }

  grpc::ClientContext context_;
};

TEST_P(ClassifyStreamTest, AnswersEveryRequestAndEndsWithOkAfterHalfClose) {
  Serve(2);
  auto stream = Open();
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(stream->Write(StreamRequestOf(static_cast<std::uint64_t>(i), {i % 100})));
    }
    stream->WritesDone();
  });
  // The queue holds 8 images and a stream may have 64 requests in flight: some may be refused, none
  // is lost.
  const Answers answers = ReadAll(*stream);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(answers.size(), 500U);
  int classified = 0;
  for (const auto& [id, answer] : answers) {
    if (answer.has_result()) {
      ++classified;
      EXPECT_EQ(answer.result().predictions(0).class_index(), static_cast<int>(id % 10));
    } else {
      EXPECT_EQ(answer.error().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    }
  }
  EXPECT_GT(classified, 0);
  metrics_.WaitUntilIdle();
  EXPECT_EQ(metrics_.sent_images(), classified);
  EXPECT_EQ(metrics_.accepted(), classified);
  EXPECT_EQ(metrics_.rejections().size(), 500U - static_cast<std::size_t>(classified));
  EXPECT_EQ(metrics_.requests().size(), 500U);
}

TEST_P(ClassifyStreamTest, StreamWithoutRequestsEndsWithOk) {
  Serve();
  auto stream = Open();
  stream->WritesDone();
  EXPECT_TRUE(ReadAll(*stream).empty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(ClassifyStreamTest, LaterRequestMayBeAnsweredFirst) {
  Serve();
  engines_.Hold();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1})));
  engines_.WaitUntilHeld(1);
  ASSERT_TRUE(stream->Write(StreamRequestOf(2, {})));  // answered at once: it is invalid
  v1::ClassifyStreamResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.id(), 2U);
  engines_.Release();
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.id(), 1U);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(ClassifyStreamTest, FailedRequestDoesNotEndTheStream) {
  Serve();
  auto stream = Open();
  v1::ClassifyStreamRequest no_time = StreamRequestOf(1, {1});
  no_time.mutable_timeout()->set_seconds(0);
  ASSERT_TRUE(stream->Write(no_time));
  v1::ClassifyStreamResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(stream->Write(StreamRequestOf(2, {7})));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.id(), 2U);
  EXPECT_EQ(answer.result().predictions(0).class_index(), 7);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(ClassifyStreamTest, BytesThatAreNoRequestEndTheStreamWhenAllBeforeIsAnswered) {
  Serve();
  engines_.Hold();
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return ok;
  };
  const auto stream =
      stub.PrepareCall(&context_, "/hellocnn.v1.ClassifierService/ClassifyStream", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(wait());
  // And then a field of the number 0, which there is not.
  const std::string good = StreamRequestOf(1, {7}).SerializeAsString();
  for (const std::string& bytes : {good, good + std::string(2, '\0')}) {
    const grpc::Slice slice(bytes);
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    ASSERT_TRUE(wait());
  }
  engines_.WaitUntilHeld(1);
  metrics_.WaitUntilRejected(1);
  engines_.Release();
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  ASSERT_TRUE(wait());
  stream->Read(&answer, nullptr);
  EXPECT_FALSE(wait());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(wait());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the request has " + std::to_string(good.size() + 2) +
                                        " bytes that are no hellocnn.v1.ClassifyStreamRequest");
  metrics_.WaitUntilIdle();
  EXPECT_EQ(metrics_.sent_images(), 1);
  EXPECT_EQ(metrics_.rejections(), std::vector<std::string>{"invalid"});
  EXPECT_EQ(metrics_.requests().size(), 2U);
  EXPECT_EQ(metrics_.received_bytes(), 2 * good.size() + 2);
}

TEST_P(ClassifyStreamTest, TimeoutOfARequestIsItsOwn) {
  Serve();
  engines_.Hold();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1})));
  engines_.WaitUntilHeld(1);
  v1::ClassifyStreamRequest hasty = StreamRequestOf(2, {2});
  hasty.mutable_timeout()->set_nanos(20'000'000);
  ASSERT_TRUE(stream->Write(hasty));
  ASSERT_TRUE(stream->Write(StreamRequestOf(3, {3})));
  stream->WritesDone();
  WaitUntilQueued(2);
  const Instant past = Clock::Monotonic()->Now() + absl::Milliseconds(20);
  while (Clock::Monotonic()->Now() < past)
    std::this_thread::yield();  // what is under test is that time passes
  engines_.Release();
  const Answers answers = ReadAll(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(answers.at(1).has_result());
  EXPECT_EQ(answers.at(2).error().code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(answers.at(3).has_result());
}

TEST_P(ClassifyStreamTest, HalfCloseWaitsForWhatIsOutstanding) {
  Serve();
  engines_.Hold();
  auto stream = Open();
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(stream->Write(StreamRequestOf(id, {1})));
  stream->WritesDone();
  engines_.WaitUntilHeld(1);
  engines_.Release();
  EXPECT_EQ(ReadAll(*stream).size(), 3U);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(ClassifyStreamTest, CancellationDropsWhatIsQueued) {
  Serve();
  std::thread occupant = OccupyEngine();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1, 2})));
  ASSERT_TRUE(stream->Write(StreamRequestOf(2, {3})));
  WaitUntilQueued(3);
  context_.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  WaitUntilServerHasSeenAll();
  engines_.Release();
  occupant.join();
  metrics_.WaitUntilDropped(3);
  Drain();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  EXPECT_EQ(engines_.calls(), 1);
}

TEST_P(ClassifyStreamTest, EveryRequestOfACancelledStreamCountsAsCancelled) {
  Serve();
  engines_.Hold();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1, 2})));
  engines_.WaitUntilHeld(1);
  ASSERT_TRUE(stream->Write(StreamRequestOf(2, {3})));
  WaitUntilQueued(1);
  context_.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  WaitUntilServerHasSeenAll();
  engines_.Release();
  metrics_.WaitUntilDropped(1);
  Drain();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  const auto requests = metrics_.requests();
  EXPECT_EQ(std::count(requests.begin(), requests.end(),
                       std::pair<std::string, absl::StatusCode>("ClassifyStream",
                                                                absl::StatusCode::kCancelled)),
            2);
  EXPECT_EQ(metrics_.accepted(), 3);
  EXPECT_EQ(metrics_.sent_images(), 0);
  EXPECT_EQ(metrics_.discarded(), 2);  // the third was dropped: the workers tell that
}

TEST_P(ClassifyStreamTest, IdleStreamEndsAtOnceWhenTheServerDrains) {
  Serve();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1})));
  v1::ClassifyStreamResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  Drain();
  EXPECT_FALSE(stream->Read(&answer));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "server is draining");
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
}

TEST_P(ClassifyStreamTest, DrainAnswersWhatWasAcceptedAndRefusesWhatComesLater) {
  Serve();
  engines_.Hold();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(1, {1})));
  engines_.WaitUntilHeld(1);
  Drain();
  ASSERT_TRUE(stream->Write(StreamRequestOf(2, {2})));
  v1::ClassifyStreamResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.id(), 2U);
  EXPECT_EQ(answer.error().code(), grpc::StatusCode::UNAVAILABLE);
  engines_.Release();
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.id(), 1U);
  EXPECT_TRUE(answer.has_result());
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_P(ClassifyStreamTest, StreamIsRefusedUntilReady) {
  auto stream = Open();
  EXPECT_TRUE(ReadAll(*stream).empty());
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(metrics_.rejections(), std::vector<std::string>{"loading"});
  EXPECT_EQ(metrics_.requests(), std::vector({std::pair<std::string, absl::StatusCode>(
                                     "ClassifyStream", absl::StatusCode::kUnavailable)}));
}

TEST_P(ClassifyStreamTest, StreamStopsReadingAtItsBoundAndGoesOnLater) {
  Serve(1, 1000);
  engines_.Hold();
  auto stream = Open();
  ASSERT_TRUE(stream->Write(StreamRequestOf(0, {1})));
  engines_.WaitUntilHeld(1);
  std::thread writer([&] {
    for (std::uint64_t id = 1; id < 200; ++id) stream->Write(StreamRequestOf(id, {1}));
    stream->WritesDone();
  });
  WaitUntilQueued(StreamSession::kMaxInFlight - 1);
  WaitUntilServerHasSeenAll();
  EXPECT_EQ(served_->queued_images(), StreamSession::kMaxInFlight - 1);
  engines_.Release();
  const Answers answers = ReadAll(*stream);
  writer.join();
  EXPECT_EQ(answers.size(), 200U);
  for (const auto& [id, answer] : answers) EXPECT_TRUE(answer.has_result()) << id;
  EXPECT_TRUE(stream->Finish().ok());
}

INSTANTIATE_TEST_SUITE_P(All, ClassifyStreamTest, ::testing::Values("grpc", "http2"),
                         testing::TransportName);

}  // namespace
}  // namespace hellocnn::server
