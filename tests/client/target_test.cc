#include "client/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "hellocnn/client/client.h"

namespace hellocnn::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Target, NamesItsAddresses) {
  const std::vector<std::pair<const char*, std::vector<std::string>>> targets = {
      {"127.0.0.1:8500", {"127.0.0.1:8500"}},
      {"localhost:1", {"localhost:1"}},
      {"[::1]:65535", {"[::1]:65535"}},
      {"dns:infer.example:8500", {"infer.example:8500"}},
      {"dns:///infer.example:8500", {"infer.example:8500"}},
      {"dns://9.9.9.9/infer.example:8500", {"infer.example:8500"}},
      {"ipv4:10.0.0.1:1,10.0.0.2:2", {"10.0.0.1:1", "10.0.0.2:2"}},
      {"ipv6:[::1]:1", {"[::1]:1"}},
      {"unix:hellocnn.sock", {}},
      {"unix:/run/hellocnn.sock", {}},
      {"unix:///run/hellocnn.sock", {}},
      {"unix-abstract:hellocnn", {}},
  };
  for (const auto& [target, wanted] : targets) {
    const auto addresses = ParseTarget(target);
    ASSERT_TRUE(addresses.ok()) << addresses.status();
    std::vector<std::string> found;
    for (const HostPort& address : *addresses) found.push_back(JoinHostPort(address));
    EXPECT_EQ(found, wanted) << target;
  }
}

TEST(Target, RejectionReachesThePrograms) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"", "it is empty"},
      {"localhost", "it has no port"},
      {"127.0.0.1:104036", "the port is too large"},
      {"127.0.0.1:0", "no server has port 0"},
      {"::1", "needs brackets"},
      {"10.0.0.1:1,10.0.0.2:2", "wanted one host:port, or a list of addresses such as ipv4:"},
      {" 127.0.0.1:1", "a space"},
      {"127.0.0.1:1/", "it has a / in it"},
      {"http://127.0.0.1:8500/", "wanted 127.0.0.1:8500, without http://"},
      {"http://127.0.0.1:8500/metrics", "wanted 127.0.0.1:8500, without http://"},
      {"https://infer.example:443", "without https://; for TLS use --tls"},
      {"grpc://h:1", "wanted h:1, without grpc://"},
      {"http://localhost", "wanted host:port, such as 127.0.0.1:8500, without http://"},
      {"xds:///h:1", "without xds://"},
      {"dns:///infer.example", "it has no port"},
      {"dns://infer.example:8500", "a third slash"},
      {"ipv4:10.0.0.1:1,10.0.0.2", "it has no port"},
      {"ipv4:localhost:1", "not an address of that family"},
      {"ipv4:[::1]:1", "not an address of that family"},
      {"ipv4:", "it is empty"},
      {"unix:", "no path follows"},
      {"unix:///", "no path"},
      {"unix://run/x", "begins with a slash"},
  };
  for (const auto& [target, why] : bad) {
    const absl::Status status = Client::Create({.target = target}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << target;
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(HasSubstr(std::string("the target is \"") + target + "\": "), HasSubstr(why)));
  }
  const std::string path = "unix:/" + std::string(107, 'x');
  EXPECT_THAT(std::string(ParseTarget(path).status().message()), HasSubstr("108 bytes"));
  EXPECT_TRUE(ParseTarget("unix:/" + std::string(106, 'x')).ok());
}

TEST(Target, KnowsThisMachine) {
  for (const char* host : {"localhost", "LocalHost", "localhost.", "a.localhost", "127.0.0.1",
                           "127.255.0.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.2"}) {
    EXPECT_TRUE(IsThisMachine(host)) << host;
  }
  for (const char* host : {"localhost.example", "notlocalhost", "128.0.0.1", "10.0.0.1", "::2",
                           "fe80::1", "::ffff:10.0.0.1", "127.example", "infer.example"}) {
    EXPECT_FALSE(IsThisMachine(host)) << host;
  }
}

}  // namespace
}  // namespace hellocnn::client
