#include "server/rpc/core/stream_session.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/testing/plain_status.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::Plain;
using Steps = StreamSession::Steps;

// A session whose first read is outstanding.
class StreamSessionTest : public ::testing::Test {
 protected:
  StreamSessionTest() {
    EXPECT_EQ(session_.Open(), 0);
    EXPECT_FALSE(session_.OnReadStarted().finish.has_value());
  }

  // Reads a request into `slot` and starts to compute it. Returns the slot of the next read.
  std::optional<int> Compute(int slot) {
    const StreamSession::Message message = session_.OnRead();
    EXPECT_TRUE(message.accepted);
    if (message.steps.read.has_value()) session_.OnReadStarted();
    EXPECT_EQ(session_.StartComputing(slot), StreamSession::MayCompute::kYes);
    return message.steps.read;
  }

  StreamSession session_;
};

TEST_F(StreamSessionTest, FinishesWithOkAfterHalfCloseWhenAllIsWritten) {
  Compute(0);
  EXPECT_FALSE(session_.OnReadEnded().finish.has_value());
  EXPECT_EQ(session_.OnReady(0).write, 0);
  EXPECT_EQ(Plain(session_.OnWritten(true).finish), absl::OkStatus());
}

TEST_F(StreamSessionTest, WritesOneResponseAtATimeInTheOrderInWhichTheyAreReady) {
  Compute(0);
  Compute(1);
  Compute(2);
  EXPECT_EQ(session_.OnReady(2).write, 2);
  EXPECT_FALSE(session_.OnReady(0).write.has_value());
  EXPECT_FALSE(session_.OnReady(1).write.has_value());
  EXPECT_EQ(session_.OnWritten(true).write, 0);
  EXPECT_EQ(session_.OnWritten(true).write, 1);
}

TEST_F(StreamSessionTest, StopsReadingAtTheBoundUntilAResponseIsWritten) {
  for (int slot = 0; slot < StreamSession::kMaxInFlight - 1; ++slot) {
    EXPECT_EQ(Compute(slot), slot + 1);
  }
  EXPECT_EQ(Compute(StreamSession::kMaxInFlight - 1), std::nullopt);
  EXPECT_FALSE(session_.OnReady(5).read.has_value());
  EXPECT_EQ(session_.OnWritten(true).read, 5);
}

TEST_F(StreamSessionTest, DrainEndsAnIdleStreamAtOnce) {
  EXPECT_EQ(Plain(session_.OnDrain().finish), absl::UnavailableError("server is draining"));
  // The read that is outstanding finds a message that was on its way.
  EXPECT_FALSE(session_.OnRead().accepted);
}

TEST_F(StreamSessionTest, DrainingStreamReadsAndRejectsOnlyWhileItComputes) {
  Compute(0);
  session_.OnDrain();
  ASSERT_EQ(session_.OnRead().steps.read, 2);
  session_.OnReadStarted();
  EXPECT_EQ(session_.StartComputing(1), StreamSession::MayCompute::kDraining);
  EXPECT_EQ(session_.OnReady(1).write, 1);
  session_.OnWritten(true);
  EXPECT_EQ(session_.OnReady(0).write, 0);
  EXPECT_FALSE(session_.OnRead().steps.read.has_value());
  session_.OnReady(2);
  EXPECT_EQ(session_.OnWritten(true).write, 2);
  EXPECT_EQ(Plain(session_.OnWritten(true).finish), absl::UnavailableError("server is draining"));
}

TEST_F(StreamSessionTest, MalformedMessageEndsTheStreamAfterTheResponsesBefore) {
  Compute(0);
  session_.OnRead();
  session_.OnReadStarted();
  EXPECT_FALSE(session_.OnMalformed(1, Rejection::Invalid(absl::InvalidArgumentError("first")))
                   .finish.has_value());
  EXPECT_TRUE(session_.OnRead().accepted);
  EXPECT_FALSE(session_.OnMalformed(2, Rejection::Invalid(absl::InvalidArgumentError("second")))
                   .finish.has_value());
  EXPECT_EQ(session_.OnReady(0).write, 0);
  EXPECT_EQ(Plain(session_.OnWritten(true).finish), absl::InvalidArgumentError("first"));
}

TEST_F(StreamSessionTest, CancellationDiscardsResponsesAndCancelsJobs) {
  for (int slot = 0; slot < 3; ++slot) Compute(slot);
  session_.OnReady(0);
  session_.OnReady(1);
  const Steps steps = session_.OnCancelled();
  EXPECT_TRUE(steps.discard.contains(1));
  EXPECT_FALSE(steps.discard.contains(0));  // it is being written
  EXPECT_TRUE(steps.cancel.contains(2));
  EXPECT_FALSE(steps.finish.has_value());
  session_.OnWritten(false);
  const Steps last = session_.OnReady(2);
  EXPECT_TRUE(last.discard.contains(2));
  EXPECT_EQ(last.finish, absl::CancelledError());
}

// Another thread may handle the read's end, and plan another read, before the thread that has
// started it says so.
TEST_F(StreamSessionTest, DoesNotFinishWhileAReadIsAboutToStart) {
  const StreamSession::Message message = session_.OnRead();
  ASSERT_EQ(message.steps.read, 1);
  ASSERT_EQ(session_.OnRead().steps.read, 2);
  session_.OnReadStarted();  // of slot 1
  session_.OnMalformed(0, Rejection::Invalid(absl::InvalidArgumentError("")));
  EXPECT_FALSE(session_.OnMalformed(1, Rejection::Invalid(absl::InvalidArgumentError("")))
                   .finish.has_value());
  EXPECT_TRUE(session_.OnReadStarted().finish.has_value());
}

TEST(StreamSessionRejectTest, NothingFollowsARejection) {
  StreamSession session;
  session.Open();
  session.Reject();
  EXPECT_FALSE(session.OnCancelled().finish.has_value());
  EXPECT_FALSE(session.OnDrain().finish.has_value());
}

TEST(OrderedStreamSessionTest, ResponsesWaitForThoseBeforeThem) {
  StreamSession session(StreamSession::Order::kOfRequests);
  const int first = session.Open();
  session.OnReadStarted();
  const int second = *session.OnRead().steps.read;
  session.OnReadStarted();
  const int third = *session.OnRead().steps.read;
  session.OnReadStarted();
  session.OnRead();
  for (const int slot : {first, second, third}) session.StartComputing(slot);
  EXPECT_EQ(session.OnReady(third).write, std::nullopt);
  EXPECT_EQ(session.OnReady(first).write, first);
  EXPECT_EQ(session.OnWritten(true).write, std::nullopt);
  EXPECT_EQ(session.OnReady(second).write, second);
  EXPECT_EQ(session.OnWritten(true).write, third);
}

TEST(OrderedStreamSessionTest, ResponsesThatWaitAreDiscardedWhenTheClientIsGone) {
  StreamSession session(StreamSession::Order::kOfRequests);
  const int first = session.Open();
  session.OnReadStarted();
  const int second = *session.OnRead().steps.read;
  session.OnReadStarted();
  session.OnRead();
  for (const int slot : {first, second}) session.StartComputing(slot);
  session.OnReady(second);
  const Steps steps = session.OnCancelled();
  EXPECT_TRUE(steps.discard.contains(second));
  EXPECT_TRUE(steps.cancel.contains(first));
  EXPECT_TRUE(session.OnReady(first).discard.contains(first));
}

}  // namespace
}  // namespace hellocnn::server
