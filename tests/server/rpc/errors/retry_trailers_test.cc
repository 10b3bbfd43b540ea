#include "server/rpc/errors/retry_trailers.h"

#include <gtest/gtest.h>

#include <string>

#include "server/rpc/errors/error_details.pb.h"
#include "server/scheduling/retry_after.h"

namespace hellocnn::server {
namespace {

TEST(RetryTrailersTest, OnlyExhaustionHasThem) {
  EXPECT_EQ(RetryTrailers(absl::ResourceExhaustedError("full")).get().size(), 2U);
  EXPECT_TRUE(RetryTrailers(absl::OkStatus()).get().empty());
  EXPECT_TRUE(RetryTrailers(absl::UnavailableError("draining")).get().empty());
}

TEST(RetryTrailersTest, PushbackIsTheDelayInWholeMilliseconds) {
  const auto pushback = [](const absl::Status& status) {
    const RetryTrailers trailers(status);
    EXPECT_EQ(trailers.get()[0].key, "grpc-retry-pushback-ms");
    return std::string(trailers.get()[0].value);
  };
  const absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(pushback(full), "100");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Milliseconds(7))), "7");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Microseconds(7001))), "8");
}

TEST(RetryTrailersTest, DetailsAreAStatusWithTheDelay) {
  const RetryTrailers trailers(
      WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(1234)));
  EXPECT_EQ(trailers.get()[1].key, "grpc-status-details-bin");
  StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(std::string(trailers.get()[1].value)));
  EXPECT_EQ(details.code(), 8);
  EXPECT_EQ(details.message(), "full");
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
  RetryInfo retry;
  ASSERT_TRUE(retry.ParseFromString(details.details(0).value()));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 234'000'000);
}

}  // namespace
}  // namespace hellocnn::server
