#include "server/rpc/core/status.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/cord.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

TEST(StatusTest, OkStaysOk) { EXPECT_TRUE(ToProtocol(absl::OkStatus()).ok()); }

TEST(StatusTest, CodesOfTheProtocolKeepCodeAndMessage) {
  for (absl::StatusCode code :
       {absl::StatusCode::kCancelled, absl::StatusCode::kInvalidArgument,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kResourceExhausted,
        absl::StatusCode::kUnavailable, absl::StatusCode::kInternal}) {
    EXPECT_EQ(ToProtocol(absl::Status(code, "why")), absl::Status(code, "why"));
  }
}

TEST(StatusTest, OtherCodesBecomeInternalAndNameTheCode) {
  EXPECT_EQ(ToProtocol(absl::UnimplementedError("no kernel")),
            absl::InternalError("UNIMPLEMENTED: no kernel"));
}

TEST(StatusTest, CancelledAfterTheDeadlineIsDeadlineExceeded) {
  const Instant deadline = Instant() + absl::Seconds(100);
  const absl::Status cancelled = absl::CancelledError("");
  EXPECT_TRUE(absl::IsDeadlineExceeded(JobOutcome(cancelled, deadline, deadline)));
  EXPECT_TRUE(absl::IsCancelled(JobOutcome(cancelled, deadline, deadline - absl::Nanoseconds(1))));
  EXPECT_TRUE(JobOutcome(absl::OkStatus(), deadline, deadline).ok());
}

TEST(StatusTest, CallerWhoGoesAtTheDeadlineHasSeenDeadlineExceeded) {
  const Instant start = Instant() + absl::Seconds(100);
  // `left` before the deadline of a call that may take `time`.
  const auto code = [&](absl::Duration time, absl::Duration left) {
    return CodeOfGoneCaller(start, start + time, start + time - left);
  };
  EXPECT_EQ(code(absl::Seconds(10), absl::ZeroDuration()), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code(absl::Seconds(10), absl::Milliseconds(49)), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code(absl::Seconds(10), absl::Milliseconds(51)), absl::StatusCode::kCancelled);
  EXPECT_EQ(code(absl::Hours(1), absl::Minutes(1)), absl::StatusCode::kCancelled);
  EXPECT_EQ(code(absl::Milliseconds(20), absl::Milliseconds(2)),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code(absl::Milliseconds(20), absl::Milliseconds(4)), absl::StatusCode::kCancelled);
  EXPECT_EQ(CodeOfGoneCaller(start, Instant::InfiniteFuture(), start + absl::Hours(1)),
            absl::StatusCode::kCancelled);
}

TEST(ToProtocolTest, LongMessagesAreCutBetweenCharacters) {
  EXPECT_EQ(ToProtocol(absl::NotFoundError(std::string(1024, 'x'))).message(),
            std::string(1024, 'x'));
  EXPECT_EQ(ToProtocol(absl::NotFoundError(std::string(5000, 'x'))).message(),
            std::string(1024, 'x') + "…");
  EXPECT_EQ(ToProtocol(absl::NotFoundError("x" + std::string(1022, 'y') + "äz")).message(),
            "x" + std::string(1022, 'y') + "…");
  absl::Status status = absl::ResourceExhaustedError(std::string(5000, 'x'));
  status.SetPayload("kept", absl::Cord("payload"));
  EXPECT_EQ(ToProtocol(status).GetPayload("kept"), absl::Cord("payload"));
}

}  // namespace
}  // namespace hellocnn::server
