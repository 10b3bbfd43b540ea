#include "client/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace hellocnn::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Variables = std::map<std::string, std::string>;

absl::StatusOr<Proxy> Choose(const std::string& wanted, const HostPort& address,
                             const Variables& variables) {
  return ChooseProxy(wanted, {address}, [&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  });
}

const HostPort kFar{"infer.example", 8500};

TEST(Proxy, TheEnvironmentAloneIsNotEnoughAndIsNamed) {
  EXPECT_EQ(Choose("", kFar, {})->note, "");
  for (const char* name :
       {"grpc_proxy", "https_proxy", "http_proxy", "HTTP_PROXY", "HTTPS_PROXY"}) {
    const auto proxy = Choose("", kFar, {{name, "http://p:3128"}});
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    EXPECT_EQ(proxy->url, "");
    EXPECT_THAT(proxy->note, AllOf(HasSubstr(name), HasSubstr("--proxy environment")));
  }
  EXPECT_EQ(Choose("", kFar, {{"http_proxy", "http://p:3128"}, {"NO_PROXY", ".example"}})->note,
            "");
}

TEST(Proxy, TheFirstVariableThatIsSetCounts) {
  const Variables all = {{"grpc_proxy", ""},
                         {"HTTPS_PROXY", "http://capitals:1"},
                         {"https_proxy", "http://small:2/"},
                         {"http_proxy", "http://last:3"}};
  EXPECT_EQ(Choose("environment", kFar, all)->url, "http://small:2");
  EXPECT_EQ(Choose("environment", kFar, {})->url, "");
  EXPECT_EQ(Choose("environment", kFar, {{"http_proxy", "p:3128"}})->url, "http://p:3128");
}

TEST(Proxy, AnExplicitProxyWinsAndItsPasswordIsNotShown) {
  const auto proxy = Choose("http://me:secret@p:3128", kFar, {{"http_proxy", "http://other:1"}});
  ASSERT_TRUE(proxy.ok()) << proxy.status();
  EXPECT_EQ(proxy->url, "http://me:secret@p:3128");
  EXPECT_EQ(proxy->note, " (through the proxy p:3128)");
}

TEST(Proxy, ThisMachineAndUnixSocketsNeedNone) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0"}) {
    for (const char* wanted : {"", "environment", "http://p:1"}) {
      const auto proxy = Choose(wanted, {host, 8500}, {{"http_proxy", "http://p:1"}});
      ASSERT_TRUE(proxy.ok()) << proxy.status();
      EXPECT_EQ(proxy->url + proxy->note, "") << host;
    }
  }
  EXPECT_EQ(ChooseProxy("http://p:1", {}, [](const std::string&) { return ""; })->url, "");
}

TEST(Proxy, NoProxyNamesHostsDomainsAndRanges) {
  const auto excepted = [](const std::string& host, const std::string& no_proxy) {
    for (const char* name : {"no_proxy", "NO_PROXY"}) {
      const auto proxy = Choose("http://p:1", {host, 8500}, {{name, no_proxy}});
      EXPECT_TRUE(proxy.ok()) << proxy.status();
      if (!proxy->url.empty()) return false;
    }
    return true;
  };
  for (const char* list :
       {"*", "infer.example", "INFER.example", ".example", "example", "*.example",
        "a, infer.example", "a infer.example", "infer.example:8500", ".example:8500"}) {
    EXPECT_TRUE(excepted("infer.example", list)) << list;
  }
  for (const char* list :
       {"", ",", "ample", "fer.example", "infer.example:1", "infer", ".", ":8500",
        "infer.example.org", "*infer.example.", "10.0.0.0/8", "/", "["}) {
    EXPECT_FALSE(excepted("infer.example", list)) << list;
  }
  for (const char* list : {"10.1.2.3", "10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "0.0.0.0/0",
                           "10.1.2.3:8500", "fd00::/8,10.1.0.0/16"}) {
    EXPECT_TRUE(excepted("10.1.2.3", list)) << list;
  }
  for (const char* list :
       {"10.1.2.4", "11.0.0.0/8", "10.1.2.0/33", "10.1.2.0/x", "10.1.2.0/-1", "fd00::/8", "2.3"}) {
    EXPECT_FALSE(excepted("10.1.2.3", list)) << list;
  }
  for (const char* list : {"fd00::1", "[fd00::1]", "[fd00::1]:8500", "fd00::/8", "FD00::0:1"}) {
    EXPECT_TRUE(excepted("fd00::1", list)) << list;
  }
  for (const char* list : {"fd00::2", "[fd00::1]:1", "fe80::/10", "0.0.0.0/0", "::1"}) {
    EXPECT_FALSE(excepted("fd00::1", list)) << list;
  }
}

TEST(Proxy, WhatIsNoHttpProxyIsRejectedByItsSource) {
  for (const char* url : {"https://p:3128", "socks5://p:1", "p", "http://p", "http://p:x"}) {
    const auto proxy = Choose("environment", kFar, {{"https_proxy", url}});
    EXPECT_EQ(proxy.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(proxy.status().message()),
                AllOf(HasSubstr("https_proxy"), HasSubstr("wanted http://host:port")));
  }
  EXPECT_THAT(std::string(Choose("http://me:secret@p:x", kFar, {}).status().message()),
              AllOf(HasSubstr("proxy names"), Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace hellocnn::client
