#include "loadgen/run/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using ::testing::HasSubstr;

TEST(MetricsPage, SumsTheSamplesWhoseLabelsFit) {
  const auto page = MetricsPage::Parse(
      "# HELP a What it is.\n# TYPE a counter\n"
      "a{method=\"x\",code=\"OK\"} 3\na{method=\"y\",code=\"OK\"} "
      "4.5\na{method=\"y\",code=\"BAD\"} 1\n\n"
      "b 1e+06 1700000000000\nc_sum NaN\nd{ } +Inf\r\n");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->Sum("a"), 8.5);
  EXPECT_EQ(page->Sum("a", {{"code", "OK"}}), 7.5);
  EXPECT_EQ(page->Sum("a", {{"code", "OK"}, {"method", "y"}}), 4.5);
  EXPECT_EQ(page->Sum("a", {{"code", "ODD"}}), std::nullopt);
  EXPECT_EQ(page->Sum("b"), 1e6);
  EXPECT_EQ(page->Sum("e"), std::nullopt);
}

TEST(MetricsPage, LabelsMayHoldAnything) {
  const auto page = MetricsPage::Parse("a{x=\"say \\\"},{\\\"\\n\\\\\", y=\"\",} 2\n");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->Sum("a", {{"x", "say \"},{\"\n\\"}, {"y", ""}}), 2);
}

// A page comes from whichever server responds, and the message goes to a terminal and into a
// report.
TEST(MetricsPage, ErrorsShowNoControlCharacters) {
  const absl::Status status = MetricsPage::Parse("a{\x1b[2J\xff 1\n").status();
  EXPECT_EQ(status.message(), "line 1 is 'a{\\x1b[2J\\xff 1', which is no sample of a metric");
}

TEST(MetricsPage, WhatIsNoMetricIsNamed) {
  const auto refused = [](const std::string& text) {
    return std::string(MetricsPage::Parse(text).status().message());
  };
  EXPECT_THAT(refused("a 1\n<html>\n"), HasSubstr("line 2 is '<html>'"));
  EXPECT_THAT(refused("a\n"), HasSubstr("line 1"));
  EXPECT_THAT(refused("a{x=\"1} 2\n"), HasSubstr("line 1"));
  EXPECT_THAT(refused("a{x} 2\n"), HasSubstr("line 1"));
  EXPECT_THAT(refused("a 1 2 3\n"), HasSubstr("line 1"));
  EXPECT_THAT(refused("a many\n"), HasSubstr("line 1"));
  EXPECT_THAT(refused(""), HasSubstr("no metric"));
  EXPECT_THAT(refused("# only words\n"), HasSubstr("no metric"));
}

}  // namespace
}  // namespace hellocnn::load
