// Compares all engines with each other on real digits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hellocnn/data/idx.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/simd/simd_engine.h"
#include "hellocnn/torch/torch_engine.h"
#include "tests/hellocnn/oracle.h"
#include "tests/hellocnn/simd/instruction_sets.h"
#include "tests/testing/classify.h"

namespace hellocnn {
namespace {

using testing::Classified;
using testing::InstructionSetName;
using testing::InstructionSets;
using testing::OnInstructionSet;

constexpr int kBatch = 50;
constexpr std::size_t kDigits = 10'000;

// The 10,000 test digits, padded to 32x32, and the results of LibTorch's modules as written.
class Digits {
 public:
  Digits() {
    const std::string model = HELLOCNN_SOURCE_DIR "/models/mnist/1";
    const absl::StatusOr<ModelCard> card = LoadModelCard(model);
    EXPECT_TRUE(card.ok()) << card.status();
    weights = LoadWeightFile(model + "/" + card->weights);
    EXPECT_TRUE(weights.ok()) << weights.status();
    normalization = card->normalization;
    const absl::StatusOr<LabeledImages> digits =
        ReadMnist(HELLOCNN_SOURCE_DIR "/data/mnist-test", "t10k");
    EXPECT_TRUE(digits.ok()) << digits.status();
    const int margin = (kImageSide - digits->rows) / 2;
    pixels_.resize(static_cast<std::size_t>(digits->count()) * kImagePixels);
    for (std::int64_t i = 0; i < digits->count(); ++i) {
      std::uint8_t* image = &pixels_[i * kImagePixels];
      for (int y = 0; y < digits->rows; ++y) {
        std::copy_n(&digits->pixels[(i * digits->rows + y) * digits->columns], digits->columns,
                    image + (y + margin) * kImageSide + margin);
      }
      views.push_back({PixelFormat::kGray8, reinterpret_cast<const std::byte*>(image)});
    }
    eager = Classify(TorchEagerEngineFactory(*weights, normalization, kBatch));
  }

  Classified Classify(const absl::StatusOr<EngineFactory>& factory) const {
    EXPECT_TRUE(factory.ok()) << factory.status();
    const absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
    EXPECT_TRUE(engine.ok()) << engine.status();
    Classified found = testing::ClassifyInBatches(**engine, views, kBatch);
    EXPECT_TRUE(found.status().ok()) << found.status();
    return found;
  }

  absl::StatusOr<Weights> weights;
  Normalization normalization;
  std::vector<ImageView> views;
  Classified eager;

 private:
  std::vector<std::uint8_t> pixels_;
};

const Digits& GetDigits() {
  static const Digits* const digits = new Digits();
  return *digits;
}

void ExpectAgreement(const std::string& name, const Classified& found, const Classified& wanted,
                     std::size_t images) {
  ASSERT_EQ(found.statuses.size(), images);
  ASSERT_EQ(wanted.statuses.size(), images);
  ASSERT_EQ(found.classes, wanted.classes);
  double sum = 0;
  double squares = 0;
  double maximum = 0;
  double in_proportion = 0;  // to the greatest log-probability of the image, by magnitude
  int other_class = 0;
  for (std::size_t i = 0; i < images; ++i) {
    const std::vector<float> found_row = found.row(i);
    const std::vector<float> wanted_row = wanted.row(i);
    other_class += MostLikelyClass(found_row) != MostLikelyClass(wanted_row);
    double greatest = 1;
    double greatest_apart = 0;
    for (std::size_t k = 0; k < wanted.classes; ++k) {
      const double value = wanted_row[k];
      const double apart = std::abs(found_row[k] - value);
      sum += apart;
      squares += apart * apart;
      greatest = std::max(greatest, std::abs(value));
      greatest_apart = std::max(greatest_apart, apart);
    }
    maximum = std::max(maximum, greatest_apart);
    in_proportion = std::max(in_proportion, greatest_apart / greatest);
  }
  const auto values = static_cast<double>(found.log_probabilities.size());
  const double l1 = sum / values;
  const double l2 = std::sqrt(squares / values);
  std::printf("[ parity   ] %s: L1 %.2e, L2 %.2e, maximum %.2e, in proportion %.2e\n", name.c_str(),
              l1, l2, maximum, in_proportion);
  EXPECT_EQ(other_class, 0);
  EXPECT_LE(l1, 1e-5);
  EXPECT_LE(l2, 1e-5);
  // Log-probabilities go down to -75 here. There the last bit of a float is 8e-6, and LibTorch's
  // error against double precision is up to 7e-5. So the limit for a single value is relative.
  EXPECT_LE(in_proportion, 1e-5);
}

class SimdParityTest : public OnInstructionSet {};

INSTANTIATE_TEST_SUITE_P(, SimdParityTest, ::testing::ValuesIn(InstructionSets()),
                         InstructionSetName);

TEST_P(SimdParityTest, AgreesWithLibTorchOnAllTestDigits) {
  const Digits& digits = GetDigits();
  ExpectAgreement(SimdInstructionSet(),
                  digits.Classify(SimdEngineFactory(*digits.weights, digits.normalization, kBatch)),
                  digits.eager, kDigits);
}

TEST(TorchParityTest, AgreesWithTheModulesAsWrittenOnAllTestDigits) {
  const Digits& digits = GetDigits();
  ExpectAgreement(
      "torch", digits.Classify(TorchEngineFactory(*digits.weights, digits.normalization, kBatch)),
      digits.eager, kDigits);
}

// The reference engine, which checks other engines at each start, agrees with LibTorch.
TEST(ReferenceParityTest, AgreesWithLibTorchOnAllTestDigits) {
  const Digits& digits = GetDigits();
  ExpectAgreement("reference",
                  digits.Classify(ReferenceEngineFactory(*digits.weights, digits.normalization)),
                  digits.eager, kDigits);
}

// Compares models with random weights and other numbers of classes than ten, on some of the digits.
TEST(ClassesParityTest, AllEnginesAgreeForAnyNumberOfClasses) {
  const Digits& digits = GetDigits();
  const std::span<const ImageView> views = std::span(digits.views).first(100);
  for (const int classes : {2, 26, 1024}) {
    const absl::StatusOr<Weights> weights = Weights::Create(testing::RandomTensors(1, classes));
    ASSERT_TRUE(weights.ok()) << weights.status();
    const auto classify = [&](const absl::StatusOr<EngineFactory>& factory) {
      EXPECT_TRUE(factory.ok()) << factory.status();
      const absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
      EXPECT_EQ((*engine)->classes(), classes);
      return testing::ClassifyInBatches(**engine, views, kBatch);
    };
    const Normalization normalization;
    const Classified wanted = classify(ReferenceEngineFactory(*weights, normalization));
    const std::string name = std::to_string(classes) + " classes, ";
    ExpectAgreement(name + "simd", classify(SimdEngineFactory(*weights, normalization, kBatch)),
                    wanted, views.size());
    ExpectAgreement(name + "torch", classify(TorchEngineFactory(*weights, normalization, kBatch)),
                    wanted, views.size());
    ExpectAgreement(name + "torch-eager",
                    classify(TorchEagerEngineFactory(*weights, normalization, kBatch)), wanted,
                    views.size());
  }
}

}  // namespace
}  // namespace hellocnn
