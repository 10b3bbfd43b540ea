#include "server/rpc/transport/http2/request_headers.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RequestHeaders GrpcCall() {
  RequestHeaders headers;
  headers.Add(":method", "POST");
  headers.Add(":scheme", "http");
  headers.Add(":path", "/package.Service/Method");
  headers.Add(":authority", "server");
  headers.Add("content-type", "application/grpc");
  headers.Add("te", "trailers");
  return headers;
}

RequestHeaders With(std::string_view name, std::string_view value) {
  RequestHeaders headers = GrpcCall();
  headers.Add(name, value);
  return headers;
}

TEST(RequestHeaders, OfAPlainCallAreFine) {
  RequestHeaders headers = GrpcCall();
  std::string why;
  EXPECT_EQ(headers.CheckHttp(&why), kHttpOk);
  EXPECT_TRUE(headers.wrong().ok()) << headers.wrong();
  EXPECT_EQ(headers.path(), "/package.Service/Method");
  EXPECT_EQ(headers.timeout(), absl::InfiniteDuration());
  EXPECT_EQ(headers.encoding(), Encoding::kIdentity);
  EXPECT_EQ(headers.response_encoding(), Encoding::kIdentity);
  EXPECT_FALSE(headers.is_head());
}

TEST(RequestHeaders, SayWhatMakesThemNoCallOfGrpc) {
  std::string why;
  EXPECT_EQ(With(":method", "GET").CheckHttp(&why), kMethodNotAllowed);
  EXPECT_THAT(why, AllOf(HasSubstr("GET"), HasSubstr("wanted POST")));
  EXPECT_EQ(With("content-type", "text/html").CheckHttp(&why), kUnsupportedMediaType);
  EXPECT_THAT(why, AllOf(HasSubstr("text/html"), HasSubstr("wanted application/grpc")));
  EXPECT_EQ(RequestHeaders().CheckHttp(&why), kMethodNotAllowed);
  EXPECT_TRUE(With(":method", "HEAD").is_head());
}

TEST(RequestHeaders, ReadTheTimeout) {
  EXPECT_EQ(With("grpc-timeout", "250m").timeout(), absl::Milliseconds(250));
  EXPECT_EQ(With("grpc-timeout", "0n").timeout(), absl::ZeroDuration());
  const RequestHeaders wrong = With("grpc-timeout", "soon");
  EXPECT_EQ(wrong.wrong().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(wrong.wrong().message()),
              AllOf(HasSubstr("grpc-timeout is soon"), HasSubstr("wanted 1 to 8 digits")));
}

TEST(RequestHeaders, KnowTheEncodings) {
  EXPECT_EQ(With("grpc-encoding", "gzip").encoding(), Encoding::kGzip);
  EXPECT_EQ(With("grpc-encoding", "deflate").encoding(), Encoding::kDeflate);
  EXPECT_EQ(With("grpc-encoding", "identity").encoding(), Encoding::kIdentity);
  const RequestHeaders wrong = With("grpc-encoding", "br");
  EXPECT_EQ(wrong.wrong().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(wrong.wrong().message()),
              AllOf(HasSubstr("br"), HasSubstr("wanted identity, gzip or deflate")));
}

TEST(RequestHeaders, TheLastOfSeveralEncodingsCounts) {
  RequestHeaders headers = With("grpc-encoding", "gzip");
  headers.Add("grpc-encoding", "deflate");
  EXPECT_EQ(headers.encoding(), Encoding::kDeflate);
  headers.Add("grpc-encoding", "identity");
  EXPECT_EQ(headers.encoding(), Encoding::kIdentity);
}

TEST(RequestHeaders, ResponsesAreCompressedAsRequestsAreIfTheCallerAcceptsIt) {
  const auto of = [](std::string_view encoding, std::string_view accepted) {
    RequestHeaders headers = With("grpc-encoding", encoding);
    headers.Add("grpc-accept-encoding", accepted);
    return headers.response_encoding();
  };
  EXPECT_EQ(of("gzip", "gzip"), Encoding::kGzip);
  EXPECT_EQ(of("gzip", "identity,deflate , gzip"), Encoding::kGzip);
  EXPECT_EQ(of("deflate", "identity,deflate"), Encoding::kDeflate);
  EXPECT_EQ(of("gzip", "deflate"), Encoding::kIdentity);
  EXPECT_EQ(of("gzip", ""), Encoding::kIdentity);
  EXPECT_EQ(of("gzip", "gzipped,xgzip,,"), Encoding::kIdentity);
  EXPECT_EQ(of("identity", "identity,gzip"), Encoding::kIdentity);
  EXPECT_EQ(With("grpc-encoding", "gzip").response_encoding(), Encoding::kIdentity);
}

TEST(RequestHeaders, AcceptedEncodingsMayComeInSeveralHeaders) {
  RequestHeaders headers = With("grpc-accept-encoding", "identity");
  headers.Add("grpc-accept-encoding", "gzip");
  headers.Add("grpc-encoding", "gzip");
  EXPECT_EQ(headers.response_encoding(), Encoding::kGzip);
}

TEST(RequestHeaders, TheFirstFaultIsKept) {
  RequestHeaders headers = With("grpc-timeout", "soon");
  headers.Add("grpc-encoding", "br");
  headers.Add("key-bin", "!");
  EXPECT_THAT(std::string(headers.wrong().message()), HasSubstr("grpc-timeout"));
}

TEST(RequestHeaders, MetadataAreAllThatIsNotTheProtocols) {
  RequestHeaders headers = GrpcCall();
  headers.Add("user-agent", "test");
  headers.Add("key", "first");
  headers.Add("key", "second");
  headers.Add("empty", "");
  headers.Add("", "nameless");
  headers.Add("key-bin", "AP8");
  EXPECT_EQ(headers.metadata()->Find("user-agent"), "test");
  EXPECT_EQ(headers.metadata()->Find("key"), "first");
  EXPECT_EQ(headers.metadata()->Find("empty"), "");
  EXPECT_EQ(headers.metadata()->Find(""), "nameless");
  EXPECT_EQ(headers.metadata()->Find("key-bin"), std::string_view("\0\xff", 2));
  for (const char* name : {"ke", "keys", "te", ":path", ":authority", "content-type"}) {
    EXPECT_EQ(headers.metadata()->Find(name), std::nullopt) << name;
  }
}

TEST(RequestHeaders, BadBinaryMetadataAreAFaultAndNotKept) {
  RequestHeaders headers = With("key-bin", "not Base64");
  EXPECT_EQ(headers.wrong().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(headers.wrong().message()),
              AllOf(HasSubstr("key-bin"), HasSubstr("wanted Base64")));
  EXPECT_EQ(headers.metadata()->Find("key-bin"), std::nullopt);
  headers.Add("later", "value");
  EXPECT_EQ(headers.metadata()->Find("later"), "value");
}

TEST(RequestHeaders, NothingIsLeftOfACallThatWasCleared) {
  RequestHeaders headers = With("grpc-timeout", "soon");
  headers.Add("grpc-timeout", "1S");
  headers.Add("grpc-encoding", "gzip");
  headers.Add("grpc-accept-encoding", "gzip");
  headers.Add("key", std::string(5000, 'x'));
  headers.Clear();
  EXPECT_TRUE(headers.wrong().ok());
  EXPECT_EQ(headers.path(), "");
  EXPECT_EQ(headers.timeout(), absl::InfiniteDuration());
  EXPECT_EQ(headers.encoding(), Encoding::kIdentity);
  EXPECT_EQ(headers.metadata()->Find("key"), std::nullopt);
  headers.Add("grpc-encoding", "gzip");
  EXPECT_EQ(headers.response_encoding(), Encoding::kIdentity);
  std::string why;
  EXPECT_EQ(headers.CheckHttp(&why), kMethodNotAllowed);
}

}  // namespace
}  // namespace hellocnn::server
