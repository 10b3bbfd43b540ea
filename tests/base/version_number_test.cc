#include "base/version_number.h"

#include <gtest/gtest.h>

namespace hellocnn {
namespace {

TEST(IsVersionNumberTest, DigitsAndNothingElse) {
  EXPECT_TRUE(IsVersionNumber("0"));
  EXPECT_TRUE(IsVersionNumber("100000000000000000000"));
  for (const char* version : {"", "v2", "-1", "1.0", " 1", "1 "}) {
    EXPECT_FALSE(IsVersionNumber(version)) << version;
  }
}

TEST(VersionOrderTest, NumbersAreCountedAndTextComesFirst) {
  const VersionOrder before;
  EXPECT_TRUE(before("9", "10"));
  EXPECT_FALSE(before("10", "9"));
  EXPECT_TRUE(before("99999999999999999999", "100000000000000000000"));
  EXPECT_TRUE(before("v2", "1"));
  EXPECT_FALSE(before("1", "v2"));
  EXPECT_TRUE(before("", "0"));
  EXPECT_NE(before("1", "01"), before("01", "1"));  // they are two versions
  EXPECT_FALSE(before("1", "1"));
}

}  // namespace
}  // namespace hellocnn
