#include "base/shown.h"

#include <gtest/gtest.h>

namespace hellocnn {
namespace {

TEST(ShownTest, OnlyPrintableAsciiIsLeft) {
  EXPECT_EQ(Shown("plain text, 1 + 1"), "plain text, 1 + 1");
  EXPECT_EQ(Shown(std::string_view("\0\x1b[2J\n\"\\\xff\xc3\xa9", 11)),
            R"(\x00\x1b[2J\n\"\\\xff\xc3\xa9)");
  EXPECT_EQ(Shown(""), "");
}

TEST(ShownTest, LongTextIsCut) {
  EXPECT_EQ(Shown("abcd", 4), "abcd");
  EXPECT_EQ(Shown("abcde", 4), "abcd…");
  EXPECT_EQ(Shown(std::string(81, 'a')), std::string(80, 'a') + "…");
}

}  // namespace
}  // namespace hellocnn
