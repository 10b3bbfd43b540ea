#include "server/rpc/errors/error_trailers.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/error_details.h"
#include "server/rpc/errors/error_details.pb.h"

namespace hellocnn::server {
namespace {

// The details of a status, by the names of their messages.
struct Details {
  explicit Details(const absl::Status& status, std::string_view request_id = "") {
    const ErrorTrailers trailers(status, request_id);
    EXPECT_EQ(trailers.get().back().key, "grpc-status-details-bin");
    EXPECT_TRUE(whole.ParseFromString(std::string(trailers.get().back().value)));
    for (const google::protobuf::Any& any : whole.details()) {
      const std::string start = "type.googleapis.com/google.rpc.";
      EXPECT_EQ(any.type_url().substr(0, start.size()), start);
      by_name[any.type_url().substr(start.size())] = any.value();
    }
  }
  template <typename Detail>
  Detail Get() const {
    const auto found = by_name.find(std::string(Detail::descriptor()->name()));
    Detail detail;
    EXPECT_TRUE(found != by_name.end() && detail.ParseFromString(found->second))
        << Detail::descriptor()->name();
    return detail;
  }

  StatusDetails whole;
  std::map<std::string, std::string> by_name;
};

TEST(ErrorTrailersTest, SuccessHasNone) {
  EXPECT_TRUE(ErrorTrailers(absl::OkStatus(), "7").get().empty());
}

TEST(ErrorTrailersTest, EveryErrorHasItsReason) {
  const Details plain(absl::UnavailableError("draining"));
  EXPECT_EQ(plain.whole.code(), 14);
  EXPECT_EQ(plain.whole.message(), "draining");
  EXPECT_EQ(plain.by_name.size(), 1U);
  EXPECT_EQ(plain.Get<ErrorInfo>().reason(), "UNAVAILABLE");
  EXPECT_EQ(plain.Get<ErrorInfo>().domain(), "hellocnn");
  const Details reasoned(WithReason(absl::UnavailableError("draining"), "no_model"));
  EXPECT_EQ(reasoned.Get<ErrorInfo>().reason(), "NO_MODEL");
}

TEST(ErrorTrailersTest, RequestIdIsRepeatedIfItCanBeShown) {
  const absl::Status status = absl::InternalError("no");
  EXPECT_EQ(Details(status, "order 7").Get<RequestInfo>().request_id(), "order 7");
  EXPECT_EQ(Details(status, std::string(128, 'x')).Get<RequestInfo>().request_id().size(), 128U);
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("\xFF")}) {
    EXPECT_EQ(Details(status, bad).by_name.count("RequestInfo"), 0U);
  }
}

TEST(ErrorTrailersTest, PushbackIsTheDelayInWholeMilliseconds) {
  const auto pushback = [](const absl::Status& status) {
    const ErrorTrailers trailers(status, "");
    EXPECT_EQ(trailers.get().size(), 2U);
    EXPECT_EQ(trailers.get()[0].key, "grpc-retry-pushback-ms");
    return std::string(trailers.get()[0].value);
  };
  const absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(pushback(full), "100");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Milliseconds(7))), "7");
  EXPECT_EQ(pushback(WithRetryAfter(full, absl::Microseconds(7001))), "8");
}

TEST(ErrorTrailersTest, OverloadHasItsDelay) {
  const RetryInfo retry =
      Details(WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(1234)))
          .Get<RetryInfo>();
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 234'000'000);
}

TEST(ErrorTrailersTest, InvalidRequestHasItsField) {
  const Details named(InvalidField("images[3]", " has no pixels"));
  ASSERT_EQ(named.Get<BadRequest>().field_violations_size(), 1);
  EXPECT_EQ(named.Get<BadRequest>().field_violations(0).field(), "images[3]");
  EXPECT_EQ(named.Get<BadRequest>().field_violations(0).description(), "images[3] has no pixels");
  const Details unnamed(absl::InvalidArgumentError("no message"));
  ASSERT_EQ(unnamed.Get<BadRequest>().field_violations_size(), 1);
  EXPECT_EQ(unnamed.Get<BadRequest>().field_violations(0).field(), "");
}

TEST(ErrorTrailersTest, ModelThatIsMissingIsAResource) {
  const Details details(WithMissingModel(absl::NotFoundError("no such version"), "digits/7"));
  EXPECT_EQ(details.whole.code(), 5);
  EXPECT_EQ(details.Get<ResourceInfo>().resource_type(), "hellocnn.v1.Model");
  EXPECT_EQ(details.Get<ResourceInfo>().resource_name(), "digits/7");
  EXPECT_EQ(details.Get<ResourceInfo>().description(), "no such version");
}

// Clients take 8 kB of trailers, in which binary ones are Base64.
TEST(ErrorTrailersTest, LongestMessageFitsWhatClientsTake) {
  std::string message;
  for (int i = 0; i < 512; ++i) message += "é";
  const absl::Status status = WithField(
      WithMissingModel(WithRetryAfter(absl::ResourceExhaustedError(message), absl::Seconds(1)),
                       std::string(200, 'x')),
      "images[3]");
  std::size_t bytes = 3 * message.size();
  const ErrorTrailers trailers(status, std::string(128, 'x'));
  for (const Trailer& trailer : trailers.get()) {
    bytes += trailer.key.size() + trailer.value.size() * 4 / 3 + 32;
  }
  EXPECT_LT(bytes, 8192U);
  const std::string description = Details(status).Get<ResourceInfo>().description();
  EXPECT_EQ(description.substr(description.size() - 5), "é…");
}

}  // namespace
}  // namespace hellocnn::server
