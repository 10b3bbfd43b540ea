#include "datasets/class_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string LabelsError(const std::vector<std::string>& labels) {
  return std::string(CheckClassLabels("labels", labels).message());
}

TEST(ClassLabelsTest, TheyAreSortedAsPeopleCount) {
  std::vector<std::string> labels = {"b10", "10", "a", "2", "b9", "b", "02", "", "Z", "1a"};
  std::sort(labels.begin(), labels.end(), CountsBefore);
  EXPECT_THAT(labels, ElementsAre("", "1a", "02", "2", "10", "Z", "a", "b", "b9", "b10"));
  for (const std::string& a : labels) {
    for (const std::string& b : labels) {
      EXPECT_EQ(CountsBefore(a, b) + CountsBefore(b, a), a == b ? 0 : 1) << a << " " << b;
    }
  }
}

TEST(ClassLabelsTest, WhatACardCannotHaveIsNamed) {
  EXPECT_EQ(LabelsError({"cat", "dög"}), "");
  EXPECT_EQ(LabelsError({"cat"}), "labels: has 1 class; wanted 2 to 1024");
  EXPECT_THAT(LabelsError(std::vector<std::string>(1025, "x")), HasSubstr("has 1025 classes"));
  EXPECT_THAT(LabelsError({"cat", ""}), HasSubstr("the label \"\" of class 1 is empty"));
  EXPECT_THAT(LabelsError({"cat", "cat"}), HasSubstr("\"cat\" of class 1 is there twice"));
  EXPECT_THAT(LabelsError({"c\xff", "a"}), HasSubstr("is no text that can be printed"));
  EXPECT_THAT(LabelsError({"c\n", "a"}), HasSubstr("is no text that can be printed"));
  EXPECT_THAT(LabelsError({std::string(256, 'x'), "a"}), HasSubstr("has 256 bytes"));
}

TEST(ClassLabelsTest, AFileHasOneOnEachLine) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("labels",
                                        "\xef\xbb\xbf"
                                        "cat\r\nsea lion\r\n\n");
  const absl::StatusOr<std::vector<std::string>> labels = ReadClassLabels(path);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("cat", "sea lion"));
  folder.Write("labels", "cat\n\ndog\n");
  EXPECT_EQ(ReadClassLabels(path).status().message().substr(0, path.size() + 30),
            path + ": the label \"\" of class 1 is e");
  EXPECT_EQ(ReadClassLabels(folder.path() + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(ClassLabelsTest, OfManyTheFirstAreListed) {
  EXPECT_EQ(ListLabels({"a", "b"}), "\"a\", \"b\"");
  EXPECT_THAT(ListLabels(std::vector<std::string>(12, "x")), HasSubstr("\"x\" and 2 more"));
}

}  // namespace
}  // namespace hellocnn
