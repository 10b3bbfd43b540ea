#include "cli/images/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace hellocnn::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kLabels{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

client::Prediction Seven() {
  client::Prediction prediction{7, "7", std::vector<float>(10, std::log(0.01F))};
  prediction.log_probabilities[7] = std::log(0.9F);
  prediction.log_probabilities[1] = std::log(0.02F);
  return prediction;
}

TEST(Draw, PlainIsAsciiInHalfAsManyLines) {
  std::vector<std::uint8_t> grey(client::kImagePixels, 0);
  grey[0] = grey[32] = 255;
  grey[1] = 255;
  const std::string drawing = Draw(grey, Style::kPlain);
  EXPECT_EQ(drawing.size(), 16U * 33);
  EXPECT_EQ(drawing.substr(0, 3), "@= ");
  for (const char c : drawing) EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 127));
}

TEST(Draw, ColourShowsBothHalves) {
  std::vector<std::uint8_t> grey(client::kImagePixels, 0);
  grey[0] = 10;
  grey[32] = 20;
  const std::string drawing = Draw(grey, Style::kColour);
  EXPECT_THAT(drawing, HasSubstr("\x1b[38;2;10;10;10m\x1b[48;2;20;20;20m\xe2\x96\x80"));
  EXPECT_THAT(drawing, HasSubstr("\x1b[0m\n"));
}

TEST(Bars, ShowsTheMostLikelyFirst) {
  EXPECT_EQ(Bars(Seven(), kLabels, 2, Style::kPlain),
            "  7  90.00%  ###########################\n"
            "  1   2.00%  #\n");
  EXPECT_THAT(Bars(Seven(), kLabels, 1, Style::kColour), HasSubstr("\xe2\x96\x88"));
}

TEST(Ranking, PutsTheLowestOfEqualsFirst) {
  EXPECT_THAT(Ranking(Seven()), testing::ElementsAre(7, 1, 0, 2, 3, 4, 5, 6, 8, 9));
}

TEST(ProgressLine, EstimatesTheTimeLeft) {
  EXPECT_EQ(ProgressLine(2500, 10000, absl::Seconds(2)),
            "[#######                       ]  25% 2,500/10,000, 6s left");
  EXPECT_THAT(ProgressLine(0, 10, absl::Seconds(1)), Not(HasSubstr("left")));
  EXPECT_THAT(ProgressLine(10, 10, absl::Seconds(1)), HasSubstr("100%"));
}

TEST(ConfusionMatrix, HasTrueClassesAsRows) {
  ConfusionMatrix matrix(10, std::vector<std::int64_t>(10));
  matrix[3][5] = 17;
  const std::string text = Render(matrix, kLabels);
  EXPECT_THAT(text, HasSubstr("          3    .    .    .    .    .   17    .    .    .    .\n"));
}

TEST(ConfusionMatrix, OfTheAlphabetFitsIntoATerminal) {
  std::vector<std::string> labels;
  for (char letter = 'A'; letter <= 'Z'; ++letter) labels.emplace_back(1, letter);
  ConfusionMatrix matrix(26, std::vector<std::int64_t>(26));
  matrix[25][0] = 800;
  const std::string text = Render(matrix, labels);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 27);
  EXPECT_LE(text.find('\n'), 120U);
  EXPECT_THAT(text, HasSubstr("          Z 800   .   ."));
}

TEST(ConfusionMatrix, OfManyClassesIsAList) {
  std::vector<std::string> labels;
  for (int i = 0; i < 1024; ++i) labels.push_back("class " + std::to_string(i));
  ConfusionMatrix matrix(1024, std::vector<std::int64_t>(1024));
  matrix[3] = std::vector<std::int64_t>(1024);
  matrix[3][3] = 3;
  matrix[3][1023] = 1;
  matrix[4][4] = 2;
  EXPECT_THAT(Render(matrix, labels), HasSubstr("   class 3         4   75.00%  class 1023, 1\n"
                                                "   class 4         2  100.00%  -\n"));
}

TEST(Text, PicksUnitsAndGroupsDigits) {
  EXPECT_EQ(Short(absl::Nanoseconds(310400)), "310 us");
  EXPECT_EQ(Short(absl::Microseconds(1240)), "1.24 ms");
  EXPECT_EQ(Short(absl::Milliseconds(2050)), "2.05 s");
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(61706), "61,706");
  EXPECT_EQ(Grouped(-1234567), "-1,234,567");
}

}  // namespace
}  // namespace hellocnn::cli
