#include "server/rpc/core/rejection.h"

#include <gtest/gtest.h>

#include "base/error_details.h"

namespace hellocnn::server {
namespace {

TEST(RejectionTest, LoadingAndDrainingHaveTheSameCodeAndReasonsOfTheirOwn) {
  EXPECT_TRUE(absl::IsUnavailable(Rejection::Loading().status));
  EXPECT_TRUE(absl::IsUnavailable(Rejection::Draining().status));
  EXPECT_EQ(Rejection::Loading().reason, RejectionReason::kLoading);
  EXPECT_EQ(Rejection::Draining().reason, RejectionReason::kDraining);
}

TEST(RejectionTest, EveryCodeOfSubmitHasAReason) {
  const auto reason = [](const absl::Status& status) {
    const Rejection rejection = Rejection::OfSubmit(status);
    EXPECT_EQ(rejection.status.code(), status.code());
    EXPECT_EQ(rejection.status.message(), status.message());
    EXPECT_EQ(ErrorReason(rejection.status),
              kRejectionLabels[static_cast<std::size_t>(rejection.reason)]);
    return rejection.reason;
  };
  EXPECT_EQ(reason(absl::ResourceExhaustedError("full")), RejectionReason::kQueueFull);
  EXPECT_EQ(reason(absl::UnavailableError("")), RejectionReason::kDraining);
  EXPECT_EQ(reason(absl::InvalidArgumentError("")), RejectionReason::kInvalid);
  EXPECT_EQ(reason(absl::DeadlineExceededError("")), RejectionReason::kDeadline);
  // Codes that it does not document.
  EXPECT_EQ(reason(absl::NotFoundError("no such model")), RejectionReason::kInternal);
  EXPECT_EQ(reason(absl::InternalError("")), RejectionReason::kInternal);
}

TEST(RejectionTest, EveryReasonHasALabel) {
  EXPECT_STREQ(kRejectionLabels[static_cast<std::size_t>(RejectionReason::kQueueFull)],
               "queue_full");
  EXPECT_STREQ(kRejectionLabels[static_cast<std::size_t>(RejectionReason::kInternal)], "internal");
  EXPECT_EQ(kRejectionLabels.size(), static_cast<std::size_t>(RejectionReason::kBudget) + 1);
}

}  // namespace
}  // namespace hellocnn::server
