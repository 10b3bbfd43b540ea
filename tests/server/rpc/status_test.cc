#include "server/rpc/status.h"

#include <gtest/gtest.h>

namespace hellocnn::server {
namespace {

TEST(StatusTest, OkStaysOk) { EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok()); }

TEST(StatusTest, CodesOfTheProtocolKeepCodeAndMessage) {
  for (absl::StatusCode code :
       {absl::StatusCode::kCancelled, absl::StatusCode::kInvalidArgument,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kResourceExhausted,
        absl::StatusCode::kUnavailable, absl::StatusCode::kInternal}) {
    const grpc::Status status = ToGrpc(absl::Status(code, "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(code));
    EXPECT_EQ(status.error_message(), "why");
  }
}

TEST(StatusTest, OtherCodesBecomeInternalAndNameTheCode) {
  const grpc::Status status = ToGrpc(absl::NotFoundError("no kernel"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "NOT_FOUND: no kernel");
}

TEST(StatusTest, CancelledAfterTheDeadlineIsDeadlineExceeded) {
  const absl::Time deadline = absl::FromUnixSeconds(100);
  const absl::Status cancelled = absl::CancelledError("");
  EXPECT_TRUE(absl::IsDeadlineExceeded(JobOutcome(cancelled, deadline, deadline)));
  EXPECT_TRUE(absl::IsCancelled(JobOutcome(cancelled, deadline, deadline - absl::Nanoseconds(1))));
  EXPECT_TRUE(JobOutcome(absl::OkStatus(), deadline, deadline).ok());
}

}  // namespace
}  // namespace hellocnn::server
