#include "base/address.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn {
namespace {

using ::testing::HasSubstr;

std::string Rejection(const std::string& text) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(parsed.status().message());
}

TEST(AddressTest, HostAndPortAreReadAndWrittenTheSame) {
  for (const char* text : {"127.0.0.1:8500", "localhost:0", "infer.example.com:65535", "a_b-c:1",
                           "[::1]:8500", "[::]:0", "[fe80::1%eth0]:80", "[::ffff:127.0.0.1]:1"}) {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(JoinHostPort(*parsed), text);
  }
  EXPECT_EQ(ParseHostPort("[::1]:8500")->host, "::1");
  EXPECT_EQ(ParseHostPort("h:007")->port, 7);
}

TEST(AddressTest, RejectionSaysWhatIsWrong) {
  EXPECT_THAT(Rejection(""), HasSubstr("it is empty"));
  EXPECT_THAT(Rejection("localhost"), HasSubstr("it has no port"));
  EXPECT_THAT(Rejection("localhost:"), HasSubstr("no port follows the colon"));
  EXPECT_THAT(Rejection(":8500"),
              HasSubstr("it has no host; wanted host:port, such as 127.0.0.1:8500"));
  EXPECT_THAT(Rejection("::1"),
              HasSubstr("an IPv6 address needs brackets and a port; wanted [::1]:port"));
  EXPECT_THAT(Rejection("::1:8500"), HasSubstr("needs brackets"));
  EXPECT_THAT(Rejection("a:b:1"), HasSubstr("more than one colon"));
  EXPECT_THAT(Rejection("[::1]"), HasSubstr("no port follows the bracket; wanted [::1]:port"));
  EXPECT_THAT(Rejection("[::1]8500"), HasSubstr("no port follows the bracket"));
  EXPECT_THAT(Rejection("[::1:8500"), HasSubstr("the bracket is not closed"));
  EXPECT_THAT(Rejection("[localhost]:1"), HasSubstr("no IPv6 address"));
  EXPECT_THAT(Rejection("[]:1"), HasSubstr("no IPv6 address"));
  EXPECT_THAT(Rejection("http://h:1"), HasSubstr("it is a URL"));
  EXPECT_THAT(Rejection("h:1/"), HasSubstr("it has a /"));
  for (const char* spaced : {" h:1", "h:1 ", "h: 1", "h h:1", "h:1\n", "h:1\t"}) {
    EXPECT_THAT(Rejection(spaced), HasSubstr("a space")) << spaced;
  }
  EXPECT_THAT(Rejection("user@h:1"), HasSubstr("a letter, a digit"));
  EXPECT_THAT(Rejection("h\xc3\xb6:1"), HasSubstr("a letter, a digit"));
  EXPECT_THAT(Rejection(std::string(254, 'a') + ":1"), HasSubstr("254 characters"));
  for (const char* host : {"256.0.0.1:1", "127.1:1", "1.2.3.4.5:1", "127:1"}) {
    EXPECT_THAT(Rejection(host), HasSubstr("not an IPv4 address")) << host;
  }
}

TEST(AddressTest, PortsAreNumbersThatFit) {
  for (const char* port : {"65536", "104036", "70000", "99999999999999999999"}) {
    EXPECT_THAT(Rejection(std::string("127.0.0.1:") + port), HasSubstr("the port is too large"));
  }
  for (const char* port : {"http", "-1", "+1", "0x50", "1.5", "80a"}) {
    EXPECT_THAT(Rejection(std::string("[::1]:") + port), HasSubstr("not a number")) << port;
  }
}

}  // namespace
}  // namespace hellocnn
