#include "base/error_details.h"

#include <gtest/gtest.h>

namespace hellocnn {
namespace {

TEST(ErrorDetailsTest, EachDetailIsOnlyThereIfItWasAdded) {
  const absl::Status plain = absl::InvalidArgumentError("no");
  EXPECT_EQ(ErrorReason(plain), std::nullopt);
  EXPECT_EQ(RetryAfter(plain), std::nullopt);
  EXPECT_EQ(MissingModel(plain), std::nullopt);
  EXPECT_EQ(FieldOf(plain), std::nullopt);
}

TEST(ErrorDetailsTest, DetailsOfDifferentKindsStandBesideEachOther) {
  const absl::Status status =
      WithRetryAfter(WithMissingModel(WithReason(absl::NotFoundError("no"), "first"), "mnist/7"),
                     absl::Microseconds(7001));
  EXPECT_EQ(ErrorReason(status), "first");
  EXPECT_EQ(MissingModel(status), "mnist/7");
  EXPECT_EQ(RetryAfter(status), absl::Microseconds(7001));
  EXPECT_EQ(status.message(), "no");
  EXPECT_EQ(ErrorReason(WithReason(status, "second")), "second");
}

TEST(ErrorDetailsTest, MessageOfAnInvalidFieldBeginsWithItsPath) {
  const absl::Status status = InvalidField("images[3].gray8", " has 5 bytes; wanted 1024");
  EXPECT_EQ(status, [] {
    absl::Status wanted = absl::InvalidArgumentError("images[3].gray8 has 5 bytes; wanted 1024");
    return WithField(wanted, "images[3].gray8");
  }());
  EXPECT_EQ(FieldOf(status), "images[3].gray8");
}

}  // namespace
}  // namespace hellocnn
