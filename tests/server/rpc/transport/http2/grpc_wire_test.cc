#include "server/rpc/transport/http2/grpc_wire.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

TEST(GrpcWire, ReadsTimeoutsOfEveryUnit) {
  EXPECT_EQ(ParseTimeout("1H"), absl::Hours(1));
  EXPECT_EQ(ParseTimeout("2M"), absl::Minutes(2));
  EXPECT_EQ(ParseTimeout("3S"), absl::Seconds(3));
  EXPECT_EQ(ParseTimeout("4m"), absl::Milliseconds(4));
  EXPECT_EQ(ParseTimeout("5u"), absl::Microseconds(5));
  EXPECT_EQ(ParseTimeout("6n"), absl::Nanoseconds(6));
}

TEST(GrpcWire, ReadsOneToEightDigits) {
  EXPECT_EQ(ParseTimeout("0S"), absl::ZeroDuration());
  EXPECT_EQ(ParseTimeout("00000007S"), absl::Seconds(7));
  EXPECT_EQ(ParseTimeout("99999999n"), absl::Nanoseconds(99999999));
  EXPECT_EQ(ParseTimeout("99999999H"), absl::Hours(99999999));  // some 11,000 years
  EXPECT_EQ(ParseTimeout("100000000S"), std::nullopt);
  EXPECT_EQ(ParseTimeout("S"), std::nullopt);
}

TEST(GrpcWire, RejectsWhatIsNoTimeout) {
  for (const std::string_view text : {"", "1", "12", "1s", "1h", "-1S", "+1S", " 1S", "1 S", "1S ",
                                      "1.5S", "0x1S", "1SS", "SS", "1\0S"}) {
    EXPECT_EQ(ParseTimeout(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseTimeout(std::string_view("1\0", 2)), std::nullopt);
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded = "before ";
  AppendPercentEncoded(text, &encoded);
  return encoded.substr(7);
}

TEST(GrpcWire, EncodesAllButPrintableAscii) {
  EXPECT_EQ(PercentEncoded(""), "");
  EXPECT_EQ(PercentEncoded(" ~az09\"+"), " ~az09\"+");
  EXPECT_EQ(PercentEncoded("100%"), "100%25");
  EXPECT_EQ(PercentEncoded(std::string_view("\0\x1f\x7f", 3)), "%00%1F%7F");
  EXPECT_EQ(PercentEncoded("\n\xc3\xa4\xff"), "%0A%C3%A4%FF");
}

// Returns the value, or nullopt if it is not Base64.
std::optional<std::string> Binary(std::string_view text) {
  std::string value = "before ";
  if (AppendBinary(text, &value)) return value.substr(7);
  EXPECT_EQ(value, "before ") << text;
  return std::nullopt;
}

TEST(GrpcWire, ReadsBase64WithAndWithoutPadding) {
  EXPECT_EQ(Binary(""), "");
  EXPECT_EQ(Binary("YQ=="), "a");
  EXPECT_EQ(Binary("YQ"), "a");
  EXPECT_EQ(Binary("YWI="), "ab");
  EXPECT_EQ(Binary("YWI"), "ab");
  EXPECT_EQ(Binary("YWJj"), "abc");
  EXPECT_EQ(Binary("AP8"), std::string("\0\xff", 2));
}

TEST(GrpcWire, TakesTheFirstOfSeveralValues) {
  EXPECT_EQ(Binary("YQ,Yg"), "a");
  EXPECT_EQ(Binary("YQ, Yg"), "a");
  EXPECT_EQ(Binary(" YQ == ,Yg"), std::nullopt);
  EXPECT_EQ(Binary(" YQ== ,Yg "), "a");
  EXPECT_EQ(Binary(",Yg"), "");
  EXPECT_EQ(Binary("YQ,"), "a");
}

TEST(GrpcWire, RejectsWhatIsNotBase64) {
  for (const std::string_view text : {"Y", "YQ=", "YQ===", "=", "Y!", "YQ==YQ==", "YQ,Y", "Y,YQ",
                                      "-_-_", "YQ..", "Y Q", "Y\nQ="}) {
    EXPECT_EQ(Binary(text), std::nullopt) << text;
  }
}

TEST(GrpcWire, WritesBase64ThatItReads) {
  for (const std::string value : {"", "a", "ab", "abc", "abcd"}) {
    const std::string encoded = EncodeBinary(value);
    EXPECT_EQ(encoded.find('='), std::string::npos);
    EXPECT_EQ(Binary(encoded), value);
  }
  EXPECT_EQ(EncodeBinary("\xff\xfe"), "//4");
}

TEST(GrpcWire, KnowsTheContentTypeOfGrpc) {
  for (const std::string_view type : {"application/grpc", "application/grpc+proto",
                                      "application/grpc+", "application/grpc;charset=x"}) {
    EXPECT_TRUE(IsGrpcContentType(type)) << type;
  }
  for (const std::string_view type : {"", "application/grp", "application/grpcx",
                                      "application/grpc-web", "application/json", "grpc"}) {
    EXPECT_FALSE(IsGrpcContentType(type)) << type;
  }
}

TEST(GrpcWire, WritesPrefixesThatItReads) {
  for (const std::size_t size : {0UL, 1UL, 255UL, 256UL, 0x01020304UL, 0xFFFFFFFFUL}) {
    std::array<std::uint8_t, kPrefixBytes> bytes{};
    WritePrefix({.compressed = 1, .size = size}, bytes);
    EXPECT_EQ(ReadPrefix(bytes).size, size);
    EXPECT_EQ(ReadPrefix(bytes).compressed, 1);
  }
  std::array<std::uint8_t, kPrefixBytes> bytes{};
  WritePrefix({.compressed = 0, .size = 0x01020304}, bytes);
  EXPECT_EQ(bytes, (std::array<std::uint8_t, kPrefixBytes>{0, 1, 2, 3, 4}));
  bytes[0] = 2;  // whoever reads it decides what that means
  EXPECT_EQ(ReadPrefix(bytes).compressed, 2);
}

}  // namespace
}  // namespace hellocnn::server
