// Tests what a new version is made of: golden images, normalization, and the folder.
#include "cli/models/new_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/models/golden_choice.h"
#include "cli/models/labelled_data.h"
#include "cli/models/offline_engine.h"
#include "cli/models/offline_model.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"
#include "tests/testing/files.h"

namespace hellocnn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

const std::string kSource = HELLOCNN_SOURCE_DIR;

Weights ShippedWeights() { return LoadWeightFile(kSource + "/models/mnist/1/weights.pt").value(); }

ModelCard CardOf(const std::string& name, const std::string& version) {
  ModelCard card = CardWithDefaults(name, 10, "");
  card.version = version;
  card.weights = "weights.safetensors";
  return card;
}

class NewVersionTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  Json CardAt(const std::string& name) const {
    return Json::parse(ReadFile(Path(name) + "/model_card.json"));
  }
  std::vector<std::string> Names(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Path(name))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const Weights weights_ = ShippedWeights();
  const TemporaryDirectory folder_;
};

TEST_F(NewVersionTest, WhatIsWrittenCanBeServed) {
  const OfflineEngines engines = VerifyEngines(weights_, Normalization()).value();
  NewVersion version{.card = CardOf("digits", "3"),
                     .golden = DrawnGoldenImages(engines, 5).value(),
                     .test = Accuracy{.images = 4, .correct = 3}};
  version.test->confusion.assign(10, std::vector<std::int64_t>(10));
  const auto written = WriteNewVersion(version, weights_, Path("models/digits/3"));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_THAT(Names("models/digits"), ElementsAre("3"));
  EXPECT_THAT(
      Names("models/digits/3"),
      UnorderedElementsAre("weights.safetensors", "model_card.json", "golden-images-idx3-ubyte"));
  const auto model = LoadOneOfflineModel(Path("models/digits/3"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->card.name, "digits");
  EXPECT_EQ(model->card.version, "3");
  EXPECT_EQ(model->card.test_accuracy, 0.75);
  EXPECT_EQ(model->card.weights_sha256, written->weights_sha256);
  EXPECT_EQ(CountGoldenImages(model->card), 5U);
  EXPECT_THAT(model->notes, IsEmpty());
  EXPECT_EQ(model->weights.tensors().at("conv.0.bias").values,
            weights_.tensors().at("conv.0.bias").values);
}

TEST_F(NewVersionTest, TheCardClaimsOnlyWhatWasMeasured) {
  ASSERT_TRUE(WriteNewVersion({.card = CardOf("digits", "1")}, weights_, Path("1")).ok());
  const Json card = CardAt("1");
  for (const char* member :
       {"test_accuracy", "test_correct", "confusion_matrix", "data", "golden"}) {
    EXPECT_FALSE(card.contains(member)) << member;
  }
  // Not 0.13070000708103180, the float.
  EXPECT_EQ(card["preprocessing"]["mean"], 0.1307);
  EXPECT_EQ(card["preprocessing"]["standard_deviation"], 0.3081);
}

TEST_F(NewVersionTest, AVersionThatIsThereIsNotChanged) {
  const NewVersion version{.card = CardOf("digits", "9")};
  ASSERT_TRUE(WriteNewVersion(version, weights_, Path("digits/9")).ok());
  ASSERT_TRUE(WriteNewVersion(version, weights_, Path("digits/10")).ok());
  const std::string before = ReadFile(Path("digits/9/model_card.json"));
  const NewVersion other{.card = CardOf("other", "9")};
  for (const char* path : {"digits/9", "digits/9/"}) {
    const absl::Status status = WriteNewVersion(other, weights_, Path(path)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
    EXPECT_THAT(std::string(status.message()), HasSubstr("such as " + Path("digits/11")));
  }
  EXPECT_EQ(ReadFile(Path("digits/9/model_card.json")), before);
  EXPECT_THAT(Names("digits"), UnorderedElementsAre("9", "10"));
}

TEST_F(NewVersionTest, WhatFailsLeavesNothing) {
  NewVersion version{.card = CardOf("digits", "1")};
  version.card.weights = "weights.xyz";
  EXPECT_FALSE(WriteNewVersion(version, weights_, Path("digits/1")).ok());
  EXPECT_THAT(Names("digits"), IsEmpty());
}

class GoldenChoiceTest : public ::testing::Test {
 protected:
  GoldenChoiceTest() {
    const DataOptions options{.where = kSource + "/data/mnist-test"};
    data_ = LoadLabelledData(options, {}, 10).value().images;
    grey_ = FitToCard(data_, ModelCard()).value();
    classes_ = ClassifyAll(engines_, grey_, [](std::int64_t) {}).value();
  }
  // The classes of the golden images, which the reference gives.
  static std::vector<int> ClassesOf(const GoldenChoice& choice) {
    std::vector<int> classes;
    for (const std::vector<double>& row : choice.log_probabilities) {
      classes.push_back(static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
    }
    return classes;
  }

  const OfflineEngines engines_ = VerifyEngines(ShippedWeights(), Normalization()).value();
  LabeledImages data_;
  std::vector<std::uint8_t> grey_;
  std::vector<int> classes_;
};

TEST_F(GoldenChoiceTest, ClassesTakeTurns) {
  const auto choice = ChooseGoldenImages(engines_, {grey_, data_.labels, classes_}, 23);
  ASSERT_TRUE(choice.ok()) << choice.status();
  ASSERT_EQ(choice->images.size(), 23U * kImagePixels);
  const std::vector<int> classes = ClassesOf(*choice);
  // The test set begins with 7, 2, 1, 0, 4, 1, 4, 9, and the first of each class come first.
  EXPECT_EQ(std::vector<int>(classes.begin(), classes.begin() + 6),
            (std::vector<int>{7, 2, 1, 0, 4, 9}));
  for (int digit = 0; digit < 10; ++digit) {
    EXPECT_EQ(std::count(classes.begin(), classes.begin() + 20, digit), 2) << digit;
  }
}

TEST_F(GoldenChoiceTest, ImagesThatAreWrongAreLeftOut) {
  const std::vector<int> all_wrong(classes_.size(), 11);
  const auto none = ChooseGoldenImages(engines_, {grey_, data_.labels, all_wrong}, 10);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->log_probabilities, IsEmpty());
}

TEST_F(GoldenChoiceTest, TheTestSetHasTheKnownAccuracyAndNormalization) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < classes_.size(); ++i) right += classes_[i] == data_.labels[i];
  EXPECT_EQ(right, 9760);
  const auto measured = MeasureNormalization(grey_, 2);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_NEAR(measured->mean, 0.1325, 5e-5);
  EXPECT_NEAR(measured->standard_deviation, 0.3105, 5e-5);
}

TEST(MeasureNormalizationTest, PaddingDoesNotCountAndOneLevelIsAnError) {
  std::vector<std::uint8_t> grey(2 * kImagePixels, 200);
  EXPECT_EQ(MeasureNormalization(grey, 0).status().code(), absl::StatusCode::kInvalidArgument);
  for (std::size_t i = kImagePixels; i < grey.size(); ++i) grey[i] = 100;
  for (std::size_t i = 0; i < kImageSide; ++i) grey[i] = 0;  // the first row is padding
  const auto measured = MeasureNormalization(grey, 1);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_FLOAT_EQ(measured->mean, 150.0F / 255);
  EXPECT_FLOAT_EQ(measured->standard_deviation, 50.0F / 255);
}

}  // namespace
}  // namespace hellocnn::cli
