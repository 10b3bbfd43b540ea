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

TEST(Printable, EscapesWhatATerminalObeysAndLeavesText) {
  EXPECT_EQ(Printable("Grüße, 数字 \"7\" \\ 🙂"), "Grüße, 数字 \"7\" \\ 🙂");
  EXPECT_EQ(Printable(std::string_view("a\0b\n\r\t\x1b[2J\x7f", 11)),
            "a\\x00b\\n\\r\\t\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b\xc2\xa0"), "\\xc2\\x9b\xc2\xa0");  // CSI, and a space
  EXPECT_EQ(Printable("\u2028\u202eabc\u2066\u200f"),
            "\\xe2\\x80\\xa8\\xe2\\x80\\xae"
            "abc"
            "\\xe2\\x81\\xa6\\xe2\\x80\\x8f");
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  for (const std::string_view bytes :
       {"\xff", "\x80", "\xc3", "\xc0\x9b", "\xe0\x80\x9b", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    const std::string printable = Printable(bytes);
    EXPECT_EQ(printable.size(), 4 * bytes.size()) << printable;
    EXPECT_EQ(printable.substr(0, 2), "\\x");
  }
  EXPECT_EQ(Printable("\xffgood\xe2\x82"), "\\xffgood\\xe2\\x82");
}

}  // namespace
}  // namespace hellocnn
