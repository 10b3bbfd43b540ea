#include "hellocnn/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kGoodCard[] = R"({
  "name": "mnist", "version": "1", "weights": "weights.pt",
  "class_labels": ["zero", "1", "2", "3", "4", "5", "6", "7", "8", "nine"],
  "test_accuracy": 0.9612,
  "training": {"epochs": 20, "seed": 1},
  "preprocessing": {"content_size": 28, "padding": 2, "mean": 0.1307, "standard_deviation": 0.3081}
})";

class ModelCardTest : public testing::Test {
 protected:
  absl::StatusOr<ModelCard> Load(const std::string& card) {
    directory_.Write("model_card.json", card);
    return LoadModelCard(directory_.path());
  }

  // Returns the error for the good card with one piece of its text replaced.
  std::string ErrorWith(const std::string& from, const std::string& to) {
    std::string card = kGoodCard;
    const std::size_t at = card.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return ErrorOf(card.replace(at, from.size(), to));
  }

  std::string ErrorOf(const std::string& card) {
    const absl::Status status = Load(card).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.path() + "/model_card.json"));
    return std::string(status.message());
  }

  TemporaryDirectory directory_;
};

TEST_F(ModelCardTest, AByteOrderMarkIsSkipped) {
  const absl::StatusOr<ModelCard> card = Load("\xef\xbb\xbf" + std::string(kGoodCard));
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(card->name, "mnist");
}

TEST_F(ModelCardTest, ChecksumOfTheWeightsMayBeThere) {
  EXPECT_EQ(Load(kGoodCard).value().weights_sha256, "");
  std::string card = kGoodCard;
  const std::string digits = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
  card.insert(1, "\"weights_sha256\": \"" + digits + "\",");
  const absl::StatusOr<ModelCard> loaded = Load(card);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->weights_sha256,
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
  for (const std::string bad : {"\"\"", "1", "null", "\"12\"",
                                "\"x123456789abcdef0123456789abcdef"
                                "0123456789abcdef0123456789abcdef\""}) {
    EXPECT_THAT(ErrorWith("\"version\"", "\"weights_sha256\": " + bad + ", \"version\""),
                HasSubstr("weights_sha256 is " + bad));
  }
}

TEST_F(ModelCardTest, GoldenImagesMayBeThere) {
  EXPECT_FALSE(Load(kGoodCard).value().golden.has_value());
  const std::string row = "[-1,-2,-3,-4,-5,-6,-7,-8,-9,1e-7]";
  const auto golden = [](const std::string& images, const std::string& rows) {
    return absl::StrCat("\"golden\": {\"images\": ", images, ", \"log_probabilities\": ", rows,
                        "}, \"training\"");
  };
  const std::string two_rows = absl::StrCat("[", row, ",", row, "]");
  std::string card = kGoodCard;
  const std::string training = "\"training\"";
  card.replace(card.find(training), training.size(), golden("\"golden.idx\"", two_rows));
  const absl::StatusOr<ModelCard> loaded = Load(card);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->golden->images, "golden.idx");
  EXPECT_EQ(loaded->golden->log_probabilities.size(), 2);
  EXPECT_EQ(loaded->golden->log_probabilities[1][8], -9);
  EXPECT_EQ(loaded->normalization.mean, 0.1307F);

  std::string many = row;
  for (std::size_t i = 0; i < kMaxGoldenImages; ++i) many += "," + row;
  const std::pair<std::string, std::string> bad[] = {
      {"\"golden\": 1, \"training\"", "golden is 1; wanted an object"},
      {"\"golden\": {}, \"training\"", "golden.images is missing"},
      {golden("\"../a\"", two_rows), "golden.images is \"../a\"; wanted the name of a file"},
      {golden("7", two_rows), "golden.images is 7"},
      {golden("\"a\"", "[]"), "golden.log_probabilities is []; wanted an array with one array"},
      {golden("\"a\"", "[" + many + "]"), "1 to 64"},
      {golden("\"a\"", "[[-1,-2]]"),
       "golden.log_probabilities[0] is [-1,-2]; wanted an array of 10"},
      {golden("\"a\"", "[[-1,-2,-3,-4,-5,-6,-7,-8,-9,0.5]]"), "golden.log_probabilities[0] is 0.5"},
      {golden("\"a\"", "[[-1,-2,-3,-4,-5,-6,-7,-8,-9,null]]"), "is null; wanted finite logarithms"},
      {golden("\"a\"", "[[-1,-2,-3,-4,-5,-6,-7,-8,-9,-1e300]]"), "wanted finite logarithms"},
  };
  for (const auto& [text, error] : bad) {
    EXPECT_THAT(ErrorWith(training, text), HasSubstr(error));
  }
}

TEST_F(ModelCardTest, FolderOfVersionsSaysWhichOnesThereAre) {
  namespace fs = std::filesystem;
  const std::string root = directory_.path();
  for (const std::string version : {"9", "10", "1"}) {
    fs::create_directories(root + "/mnist/" + version);
    directory_.Write("mnist/" + version + "/model_card.json", kGoodCard);
  }
  fs::create_directories(root + "/mnist/empty");
  const absl::Status versions = LoadModelCard(root + "/mnist").status();
  EXPECT_EQ(versions.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(versions.message()),
              AllOf(HasSubstr("folders of it: 1, 9, 10. "), HasSubstr(root + "/mnist/10")));
  EXPECT_THAT(std::string(LoadModelCard(root).status().message()),
              HasSubstr("mnist/1, mnist/9, mnist/10"));
}

TEST_F(ModelCardTest, FileInPlaceOfTheFolderIsNamed) {
  const std::string weights = directory_.Write("weights.pt", "x");
  const absl::Status status = LoadModelCard(weights).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(weights + ": is a file"), HasSubstr(directory_.path() + "/")));
}

TEST(CompareWithWeightsTest, OnlyAnotherChecksumIsADifference) {
  ModelCard card;
  card.weights = std::string("w.pt");
  EXPECT_EQ(CompareWithWeights("aa", card), "");  // it does not say
  EXPECT_EQ(card.weights_sha256, "aa");
  EXPECT_EQ(CompareWithWeights("aa", card), "");
  EXPECT_FALSE(card.of_other_weights);
  EXPECT_THAT(CompareWithWeights("bb", card),
              AllOf(HasSubstr("SHA-256 aa"), HasSubstr("w.pt has bb")));
  EXPECT_TRUE(card.of_other_weights);
  EXPECT_EQ(card.weights_sha256, "bb");
}

TEST_F(ModelCardTest, GoodCardIsReadAndUnknownMembersAreLeftAlone) {
  const absl::StatusOr<ModelCard> card = Load(kGoodCard);
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(card->name, "mnist");
  EXPECT_EQ(card->version, "1");
  EXPECT_EQ(card->weights, "weights.pt");
  EXPECT_EQ(card->class_labels[0], "zero");
  EXPECT_EQ(card->class_labels[9], "nine");
  EXPECT_EQ(card->test_accuracy, 0.9612);
  EXPECT_EQ(card->content_size, 28);
  EXPECT_EQ(card->padding, 2);
  EXPECT_EQ(card->normalization.mean, 0.1307F);
  EXPECT_EQ(card->normalization.standard_deviation, 0.3081F);
}

TEST_F(ModelCardTest, AccuracyThatWasNotMeasuredIsNotClaimed) {
  std::string card = kGoodCard;
  const std::size_t at = card.find("\"test_accuracy\"");
  card.replace(at, std::string("\"test_accuracy\"").size(), "\"something\"");
  const absl::StatusOr<ModelCard> read = Load(card);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->test_accuracy, std::nullopt);
}

TEST(CardWithDefaultsTest, NamesTheModelAfterItsFileAndCountsTheClasses) {
  const ModelCard card = CardWithDefaults("/some/where/letters.v2.pt", 26, "ab");
  EXPECT_EQ(card.name, "letters.v2");
  EXPECT_EQ(card.version, "1");
  EXPECT_EQ(card.weights, "letters.v2.pt");
  EXPECT_EQ(card.weights_sha256, "ab");
  ASSERT_EQ(card.class_labels.size(), 26U);
  EXPECT_EQ(card.class_labels.front(), "0");
  EXPECT_EQ(card.class_labels.back(), "25");
  EXPECT_EQ(card.test_accuracy, std::nullopt);
  EXPECT_EQ(card.normalization.mean, Normalization().mean);
  EXPECT_EQ(CardWithDefaults("weights", 2, "").name, "weights");
}

TEST_F(ModelCardTest, MissingCardIsNotFound) {
  EXPECT_EQ(LoadModelCard(directory_.path()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadModelCard("/nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelCardTest, EveryMemberMustBeThere) {
  for (const std::string member : {"name", "version", "weights", "class_labels", "preprocessing",
                                   "content_size", "padding", "mean", "standard_deviation"}) {
    EXPECT_THAT(ErrorWith("\"" + member + "\"", "\"other\""), HasSubstr(member + " is missing"));
  }
}

TEST_F(ModelCardTest, MembersMustBeOfTheRightType) {
  EXPECT_THAT(ErrorWith("\"mnist\"", "7"), HasSubstr("name is 7"));
  EXPECT_THAT(ErrorWith("\"1\"", "1"), HasSubstr("version is 1"));
  EXPECT_THAT(ErrorWith("\"weights.pt\"", "null"), HasSubstr("weights is null"));
  EXPECT_THAT(ErrorWith("0.9612", "\"good\""), HasSubstr("test_accuracy is \"good\""));
  EXPECT_THAT(ErrorWith("28,", "28.5,"), HasSubstr("content_size is 28.5"));
  EXPECT_THAT(ErrorWith("0.1307", "[0.1307]"), HasSubstr("preprocessing.mean is [0.1307]"));
  EXPECT_THAT(ErrorWith("\"nine\"", "9"), HasSubstr("class_labels[9] is 9"));
}

TEST_F(ModelCardTest, MembersMustBeInRange) {
  EXPECT_THAT(ErrorWith("\"mnist\"", "\"\""), HasSubstr("name is \"\""));
  EXPECT_THAT(ErrorWith("0.9612", "1.01"), HasSubstr("test_accuracy is 1.01"));
  EXPECT_THAT(ErrorWith("0.9612", "-0.1"), HasSubstr("test_accuracy is -0.1"));
  EXPECT_THAT(ErrorWith("28,", "0,"), HasSubstr("content_size is 0"));
  EXPECT_THAT(ErrorWith("28,", "99999999999999999999,"), HasSubstr("content_size is"));
  EXPECT_THAT(ErrorWith("\"padding\": 2", "\"padding\": -2"), HasSubstr("padding is -2"));
  EXPECT_THAT(ErrorWith("\"padding\": 2", "\"padding\": 3"),
              AllOf(HasSubstr("28 + 2 * 3 = 34"), HasSubstr("wanted 32")));
  EXPECT_THAT(ErrorWith("0.3081", "0"), HasSubstr("standard_deviation is 0"));
  EXPECT_THAT(ErrorWith("0.3081", "-1"), HasSubstr("standard_deviation is -1"));
  EXPECT_THAT(ErrorWith("0.3081", "1e-300"), HasSubstr("standard_deviation is 1e-300"));
  EXPECT_THAT(ErrorWith("0.1307", "1e39"), HasSubstr("mean is 1e+39"));
  ErrorWith("0.1307", "1e999");
}

std::string Labels(int count) {
  std::string labels = "[";
  for (int i = 0; i < count; ++i) labels += (i > 0 ? ", \"" : "\"") + std::to_string(i) + '"';
  return labels + "]";
}

TEST_F(ModelCardTest, LabelsAreTwoToAThousandAndTwentyFour) {
  const std::string labels = R"(["zero", "1", "2", "3", "4", "5", "6", "7", "8", "nine"])";
  for (const int count : {2, 26, 1024}) {
    std::string card = kGoodCard;
    const absl::StatusOr<ModelCard> read =
        Load(card.replace(card.find(labels), labels.size(), Labels(count)));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->class_labels.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(read->class_labels.back(), std::to_string(count - 1));
  }
  for (const int count : {0, 1, 1025}) {
    EXPECT_THAT(ErrorWith(labels, Labels(count)),
                AllOf(HasSubstr("class_labels"), HasSubstr("2 to 1024"),
                      HasSubstr("not " + std::to_string(count))));
  }
}

TEST_F(ModelCardTest, LabelsMustFitTheWeights) {
  std::map<std::string, Tensor> tensors;
  for (const TensorSpec& spec : WeightTensors(26)) {
    tensors[spec.name] = {spec.shape, std::vector<float>(static_cast<std::size_t>(spec.size()))};
  }
  const absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  ASSERT_TRUE(weights.ok()) << weights.status();
  absl::StatusOr<ModelCard> card = Load(kGoodCard);
  ASSERT_TRUE(card.ok()) << card.status();
  const absl::Status status = CheckLabelsFit(*card, *weights);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("mnist"), HasSubstr("has 10 class_labels"), HasSubstr("wanted 26"),
                    HasSubstr("weights.pt")));
  card->class_labels.resize(26);
  EXPECT_TRUE(CheckLabelsFit(*card, *weights).ok());
}

TEST_F(ModelCardTest, LabelsAreNotEmptyAndAllDifferent) {
  EXPECT_THAT(ErrorWith("\"zero\"", "\"\""), HasSubstr("class_labels[0] is \"\""));
  EXPECT_THAT(ErrorWith("\"zero\"", "\"a\\u0000\""), HasSubstr("class_labels[0] is"));
  EXPECT_THAT(ErrorWith("\"nine\"", "\"zero\""),
              AllOf(HasSubstr("class_labels[9] is \"zero\""), HasSubstr("not there before")));
}

TEST_F(ModelCardTest, WeightsStayInTheCardsFolder) {
  for (const std::string name : {"../w.pt", "/etc/passwd", "a/b", "..", ".", "a\\u0000b"}) {
    EXPECT_THAT(ErrorWith("weights.pt", name), HasSubstr("weights is"));
  }
}

TEST_F(ModelCardTest, TextThatIsNotJsonIsAnError) {
  ErrorOf("");
  ErrorOf("{");
  ErrorOf("\xff\xfe");
  EXPECT_THAT(ErrorOf("[1]"), HasSubstr("is [1]; wanted an object"));
  ErrorOf(std::string(500'000, '['));
  // This is well-formed, but so deep that recursion would overflow the stack.
  const std::string deep = std::string(250'000, '[') + std::string(250'000, ']');
  EXPECT_THAT(ErrorOf(deep), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(ErrorWith("\"mnist\"", deep), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(ErrorOf(std::string(2'000'000, ' ')), HasSubstr("larger than"));
}

TEST_F(ModelCardTest, ErrorsCanBePrintedWhateverTheCardHolds) {
  const std::string error = ErrorOf("{\"name\": \"m\xc3\x1b[2J\"}");
  EXPECT_EQ(error.find('\xc3'), std::string::npos) << error;
  EXPECT_EQ(error.find('\x1b'), std::string::npos) << error;
  EXPECT_THAT(error, HasSubstr("\\xc3"));
  EXPECT_LT(ErrorOf("{\"name\": \"" + std::string(10'000, 'm')).size(), 1000U);
}

TEST_F(ModelCardTest, EveryTruncationIsAnError) {
  const std::string card = kGoodCard;
  for (std::size_t size = 0; size < card.size(); ++size) ErrorOf(card.substr(0, size));
}

}  // namespace
}  // namespace hellocnn
