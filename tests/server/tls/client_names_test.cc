#include "server/tls/client_names.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

ClientNames Parsed(const std::string& text) {
  const absl::StatusOr<ClientNames> parsed = ClientNames::Parse(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status();
  return parsed.value_or(ClientNames());
}

TEST(ClientNamesTest, WithoutAListEveryCertificateIsAllowed) {
  for (const ClientNames& names : {ClientNames(), Parsed("off")}) {
    EXPECT_TRUE(names.Allow({}));
    EXPECT_TRUE(names.Allow({"DNS:any.example"}));
  }
}

TEST(ClientNamesTest, OneNameIsEnough) {
  const ClientNames names = Parsed("shop.example,spiffe://example.org/till");
  EXPECT_TRUE(names.Allow({"DNS:other.example", "DNS:shop.example"}));
  EXPECT_TRUE(names.Allow({"URI:spiffe://example.org/till"}));
  EXPECT_FALSE(names.Allow({"DNS:other.example"}));
  EXPECT_FALSE(names.Allow({}));
}

TEST(ClientNamesTest, TheKindFollowsFromTheNameOrIsSaid) {
  const struct {
    std::string listed;
    std::string name;
  } cases[] = {
      {"shop.example", "DNS:shop.example"},
      {"SHOP.example", "DNS:shop.example"},
      {"DNS:shop.example", "DNS:shop.example"},
      {"localhost", "DNS:localhost"},
      {"spiffe://example.org/A", "URI:spiffe://example.org/A"},
      {"URI:urn:shop", "URI:urn:shop"},
      {"ann@shop.example", "email:ann@shop.example"},
      {"email:Ann@shop.example", "email:Ann@shop.example"},
      {"10.0.0.1", "IP:10.0.0.1"},
      {"2001:DB8:0::1", "IP:2001:db8::1"},
      {"IP:::1", "IP:::1"},
  };
  for (const auto& [listed, name] : cases) {
    EXPECT_TRUE(Parsed(listed).Allow({name})) << listed;
  }
}

TEST(ClientNamesTest, NamesMustBeEqualAndOfTheSameKind) {
  EXPECT_FALSE(Parsed("shop.example").Allow({"DNS:a.shop.example"}));
  EXPECT_FALSE(Parsed("shop.example").Allow({"DNS:shop.example.evil"}));
  EXPECT_FALSE(Parsed("*.example").Allow({"DNS:shop.example"}));
  EXPECT_TRUE(Parsed("*.example").Allow({"DNS:*.example"}));
  EXPECT_FALSE(Parsed("10.0.0.1").Allow({"DNS:10.0.0.1"}));
  EXPECT_FALSE(Parsed("shop.example").Allow({"URI:shop.example", "email:shop.example"}));
  EXPECT_FALSE(Parsed("spiffe://example.org/a").Allow({"URI:spiffe://example.org/A"}));
}

TEST(ClientNamesTest, WhatCannotBeANameIsRejected) {
  const struct {
    std::string text;
    std::string says;
  } cases[] = {
      {"", "one of the names is empty"},
      {"a.example,", "one of the names is empty"},
      {"DNS:", "one of the names is empty"},
      {"a.example, b.example", "\" b.example\" has a character that no name has"},
      {"IP:shop.example", "\"shop.example\" is no IP address"},
      {"DNS:a/b", "\"a/b\" is no DNS name"},
      {"spiffe:/a", "\"spiffe:/a\" is no DNS name"},
      {"URI:shop", "\"shop\" is no URI"},
      {"email:shop", "\"shop\" is no e-mail address"},
      {"off,a.example", ""},
  };
  for (const auto& [text, says] : cases) {
    const absl::StatusOr<ClientNames> parsed = ClientNames::Parse(text);
    if (says.empty()) {
      EXPECT_TRUE(parsed.ok()) << text;  // "off" is a name if there are others
      continue;
    }
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(says));
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("wanted names such as"));
  }
}

}  // namespace
}  // namespace hellocnn::server
