#include "server/rpc/errors/error_trailers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "server/rpc/errors/error_details.pb.h"
#include "server/scheduling/retry_after.h"
#include "server/serving/model_registry.h"
#include "tests/testing/model_card.h"

namespace hellocnn::server {
namespace {

TEST(ErrorTrailersTest, MostStatusesHaveNone) {
  EXPECT_EQ(ErrorTrailers(absl::ResourceExhaustedError("full")).get().size(), 2U);
  EXPECT_TRUE(ErrorTrailers(absl::OkStatus()).get().empty());
  EXPECT_TRUE(ErrorTrailers(absl::UnavailableError("draining")).get().empty());
  EXPECT_TRUE(ErrorTrailers(absl::NotFoundError("not a model")).get().empty());
}

TEST(ErrorTrailersTest, PushbackIsTheDelayInWholeMilliseconds) {
  const auto pushback = [](const absl::Status& status) {
    const ErrorTrailers trailers(status);
    EXPECT_EQ(trailers.get()[0].key, "grpc-retry-pushback-ms");
    return std::string(trailers.get()[0].value);
  };
  const absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(pushback(full), "100");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Milliseconds(7))), "7");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Microseconds(7001))), "8");
}

TEST(ErrorTrailersTest, DetailsAreAStatusWithTheDelay) {
  const ErrorTrailers trailers(
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

TEST(ErrorTrailersTest, ModelThatIsMissingIsAResource) {
  ModelRegistry registry;
  ModelCard card = testing::DigitsCard();
  card.name = "digits";
  ASSERT_TRUE(
      registry.Publish(std::make_shared<Servable>(card, "fake", ModelId{}, nullptr, nullptr)).ok());
  const ErrorTrailers trailers(registry.Find("digits", "7").status());
  ASSERT_EQ(trailers.get().size(), 1U);
  EXPECT_EQ(trailers.get()[0].key, "grpc-status-details-bin");
  StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(std::string(trailers.get()[0].value)));
  EXPECT_EQ(details.code(), 5);
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ResourceInfo");
  ResourceInfo resource;
  ASSERT_TRUE(resource.ParseFromString(details.details(0).value()));
  EXPECT_EQ(resource.resource_type(), "hellocnn.v1.Model");
  EXPECT_EQ(resource.resource_name(), "digits/7");
  EXPECT_EQ(resource.description(), details.message());
}

}  // namespace
}  // namespace hellocnn::server
