#include "cli/commands/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hellocnn::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(McNemarTest, FewImagesAreTestedExactly) {
  // 2 * (1 + 10 + 45) / 2^10, by hand.
  EXPECT_DOUBLE_EQ(McNemarTest(2, 8).p_value, 0.109375);
  EXPECT_DOUBLE_EQ(McNemarTest(8, 2).p_value, 0.109375);
  EXPECT_TRUE(McNemarTest(2, 8).exact);
  EXPECT_DOUBLE_EQ(McNemarTest(0, 6).p_value, 2.0 / 64);
  // Twice the tail is more than 1 if the middle is in both.
  EXPECT_DOUBLE_EQ(McNemarTest(5, 5).p_value, 1);
  EXPECT_DOUBLE_EQ(McNemarTest(0, 0).p_value, 1);
  EXPECT_TRUE(McNemarTest(12, 12).exact);
}

TEST(McNemarTest, ManyImagesAreTestedWithChiSquared) {
  // The first two are usual examples of textbooks: 121 and 59 give 61^2 / 180 = 20.67.
  EXPECT_NEAR(McNemarTest(121, 59).p_value, 5.450094825e-06, 1e-14);
  EXPECT_NEAR(McNemarTest(86, 150).p_value, 4.114562281e-05, 1e-13);
  EXPECT_FALSE(McNemarTest(121, 59).exact);
  EXPECT_DOUBLE_EQ(McNemarTest(13, 12).p_value, 1);
  EXPECT_DOUBLE_EQ(McNemarTest(15, 15).p_value, 1);
  const double of_most = McNemarTest(0, std::int64_t{1} << 40).p_value;
  EXPECT_GE(of_most, 0);
  EXPECT_LT(of_most, 1e-300);
}

// The two ways of testing must meet where one takes over.
TEST(McNemarTest, BothWaysAreCloseWhereTheyMeet) {
  EXPECT_NEAR(McNemarTest(7, 17).p_value, McNemarTest(7, 18).p_value, 0.03);
}

const std::vector<int> kLabels = {0, 1, 2, 3, 4};
const std::vector<int> kOfA = {0, 1, 9, 8, 7};
const std::vector<int> kOfB = {0, 5, 2, 8, 6};

TEST(CompareTest, CountsEachImageOnce) {
  const Comparison comparison = Compare(kLabels, kOfA, kOfB);
  EXPECT_EQ(comparison.images, 5);
  EXPECT_EQ(comparison.both_right, 1);
  EXPECT_EQ(comparison.only_a_right, 1);
  EXPECT_EQ(comparison.only_b_right, 1);
  EXPECT_EQ(comparison.both_wrong, 2);
  EXPECT_DOUBLE_EQ(comparison.accuracy_of_a(), 0.4);
  EXPECT_DOUBLE_EQ(comparison.accuracy_of_b(), 0.4);
  // An image on which both are wrong in the same way has not changed.
  ASSERT_EQ(comparison.changed.size(), 3U);
  EXPECT_EQ(comparison.changed[1].index, 2U);
  EXPECT_EQ(comparison.changed[1].label, 2);
  EXPECT_EQ(comparison.changed[1].a, 9);
  EXPECT_EQ(comparison.changed[1].b, 2);
}

class ComparisonTextTest : public ::testing::Test {
 protected:
  // The images are all of one grey level, 255 less their index.
  std::string Text(int pictures, const std::vector<std::string>& labels) {
    return ToText(Compare(kLabels, kOfA, kOfB), {.labels = labels,
                                                 .picture =
                                                     [this](std::size_t index) {
                                                       grey_.assign(1024, 255 - index);
                                                       return absl::MakeConstSpan(grey_);
                                                     },
                                                 .pictures = pictures,
                                                 .style = Style::kPlain,
                                                 .columns = 80});
  }

  std::vector<std::uint8_t> grey_;
  const std::vector<std::string> digits_ = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
};

TEST_F(ComparisonTextTest, SaysWhatHasChanged) {
  const std::string text = Text(0, digits_);
  EXPECT_THAT(text, HasSubstr("Of 5 images, A has 40.00% right and B has 40.00%.\n"));
  EXPECT_THAT(text, HasSubstr("McNemar's test, exact: p = 1, from 2 images"));
  EXPECT_THAT(text, HasSubstr("3 images changed class.\n"));
  EXPECT_THAT(text, Not(HasSubstr("@")));
}

TEST_F(ComparisonTextTest, DrawsTwoPicturesBesideEachOther) {
  const std::string text = Text(2, digits_);
  EXPECT_THAT(text, HasSubstr("image 1 is 1: 1 -> 5, now wrong     image 2 is 2: 9 -> 2, now "
                              "right\n"));
  EXPECT_THAT(text, HasSubstr("\n" + std::string(32, '%') + "    " + std::string(32, '%') + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("image 4")));
  EXPECT_THAT(Text(100, digits_), HasSubstr("\nimage 4 is 4: 7 -> 6\n"));
}

TEST_F(ComparisonTextTest, LongLabelsAreNotCutAndNotObeyed) {
  std::vector<std::string> labels = digits_;
  labels[5] = std::string(40, 'x') + "\x1b[2J";
  const std::string text = Text(2, labels);
  EXPECT_THAT(text, HasSubstr("1 -> " + std::string(40, 'x') + R"(\x1b[2J, now wrong)" + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(ComparisonJsonTest, HasAllThatChanged) {
  EXPECT_EQ(ToJson(Compare(kLabels, kOfA, kOfB)), nlohmann::ordered_json::parse(R"({
    "images": 5, "both_right": 1, "only_a_right": 1, "only_b_right": 1, "both_wrong": 2,
    "accuracy_of_a": 0.4, "accuracy_of_b": 0.4, "mcnemar": {"p_value": 1.0, "method": "exact"},
    "changed": [{"index": 1, "label": 1, "a": 1, "b": 5}, {"index": 2, "label": 2, "a": 9, "b": 2},
                {"index": 4, "label": 4, "a": 7, "b": 6}]})"));
}

}  // namespace
}  // namespace hellocnn::cli
