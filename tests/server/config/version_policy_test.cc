#include "server/config/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(VersionPolicyTest, HighestVersionsOrAll) {
  EXPECT_EQ(VersionPolicy::Parse("latest")->most, 1);
  EXPECT_EQ(VersionPolicy::Parse("latest:3")->most, 3);
  EXPECT_EQ(VersionPolicy::Parse("all")->most, std::numeric_limits<int>::max());
  EXPECT_TRUE(VersionPolicy::Parse("latest")->Allows("7"));
}

TEST(VersionPolicyTest, VersionsByNumber) {
  const VersionPolicy policy = VersionPolicy::Parse("4,1").value();
  EXPECT_THAT(policy.only, ElementsAre("1", "4"));
  EXPECT_TRUE(policy.Allows("4"));
  EXPECT_FALSE(policy.Allows("2"));
  EXPECT_EQ(policy.most, std::numeric_limits<int>::max());
}

TEST(VersionPolicyTest, EverythingElseIsAnErrorThatSaysWhatWasWanted) {
  for (const std::string text : {"", "newest", "latest:", "latest:0", "latest:-1", "latest:1001",
                                 "latest:x", "1,", ",1", "1 2", "v1", "-1"}) {
    const absl::Status status = VersionPolicy::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("wanted latest"));
  }
}

}  // namespace
}  // namespace hellocnn::server
