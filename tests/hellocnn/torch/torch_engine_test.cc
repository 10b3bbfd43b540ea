#include "hellocnn/torch/torch_engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hellocnn/data/idx.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "tests/hellocnn/oracle.h"
#include "tests/testing/classify.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::Classified;

const std::string kModel = HELLOCNN_SOURCE_DIR "/models/mnist/1";
const std::string kPyTorchFiles = HELLOCNN_PYTORCH_FILES;

std::vector<ImageView> Views(const void* pixels, PixelFormat format, std::size_t count) {
  std::vector<ImageView> views;
  const auto* bytes = static_cast<const std::byte*>(pixels);
  for (std::size_t i = 0; i < count; ++i) {
    views.push_back({format, bytes + i * BytesPerImage(format)});
  }
  return views;
}

// Returns the log-probabilities, [images, classes], of all images, in batches of `batch` images.
Classified ClassifyAll(Engine& engine, const std::vector<ImageView>& images, std::size_t batch) {
  Classified found = testing::ClassifyInBatches(engine, images, batch);
  EXPECT_TRUE(found.status().ok()) << found.status();
  return found;
}

struct Difference {
  double l1 = 0;  // mean absolute
  double l2 = 0;  // root mean square
  double maximum = 0;
};

Difference Compare(const std::vector<float>& a, const std::vector<float>& b) {
  Difference difference;
  std::size_t i = 0;
  for (const float value : a) {
    const double apart = std::abs(static_cast<double>(value) - b.at(i++));
    difference.l1 += apart;
    difference.l2 += apart * apart;
    difference.maximum = std::max(difference.maximum, apart);
  }
  difference.l1 /= static_cast<double>(i);
  difference.l2 = std::sqrt(difference.l2 / static_cast<double>(i));
  return difference;
}

void Report(const char* what, const Difference& difference) {
  std::printf("[ parity   ] %s: L1 %.2e, L2 %.2e, maximum %.2e\n", what, difference.l1,
              difference.l2, difference.maximum);
}

std::unique_ptr<Engine> MakeEngine(const absl::StatusOr<EngineFactory>& factory) {
  EXPECT_TRUE(factory.ok()) << factory.status();
  absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// Returns the 10,000 test digits, padded to 32x32.
std::vector<std::uint8_t> PaddedTestDigits(std::vector<std::uint8_t>* labels) {
  const absl::StatusOr<LabeledImages> digits =
      ReadMnist(HELLOCNN_SOURCE_DIR "/data/mnist-test", "t10k");
  EXPECT_TRUE(digits.ok()) << digits.status();
  std::vector<std::uint8_t> padded(static_cast<std::size_t>(digits->count()) * kImagePixels);
  for (std::int64_t i = 0; i < digits->count(); ++i) {
    for (int y = 0; y < 28; ++y) {
      std::copy_n(digits->pixels.begin() + (i * 28 + y) * 28, 28,
                  padded.begin() + i * kImagePixels + (y + 2) * kImageSide + 2);
    }
  }
  labels->assign(digits->labels.begin(), digits->labels.end());
  return padded;
}

TEST(TorchEngineTest, AgreesWithPythonOnRealDigits) {
  const std::vector<float> images = ReadFloats(kPyTorchFiles + "/parity_inputs.f32");
  const std::vector<float> wanted = ReadFloats(kPyTorchFiles + "/parity_log_probabilities.f32");
  ASSERT_EQ(images.size() / kImagePixels, wanted.size() / 10);
  ASSERT_GE(wanted.size(), 640U);
  for (const char* file : {"state_dict.pt", "scripted.pt"}) {
    const absl::StatusOr<Weights> weights = LoadWeightFile(kPyTorchFiles + "/" + file);
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (const bool eager : {false, true}) {
      const auto factory =
          (eager ? TorchEagerEngineFactory : TorchEngineFactory)(*weights, Normalization(), 16);
      const auto engine = MakeEngine(factory);
      const Difference difference = Compare(
          ClassifyAll(*engine,
                      Views(images.data(), PixelFormat::kFloat32, images.size() / kImagePixels), 16)
              .log_probabilities,
          wanted);
      Report(file, difference);
      EXPECT_LE(difference.maximum, 1e-5) << file << (eager ? ", eager" : "");
    }
  }
}

TEST(TorchEngineTest, ShippedModelIsAsGoodAsItsCardSays) {
  const absl::StatusOr<ModelCard> card = LoadModelCard(kModel);
  ASSERT_TRUE(card.ok()) << card.status();
  const absl::StatusOr<Weights> weights = LoadWeightFile(kModel + "/" + card->weights);
  ASSERT_TRUE(weights.ok()) << weights.status();
  std::vector<std::uint8_t> labels;
  const std::vector<std::uint8_t> digits = PaddedTestDigits(&labels);
  const auto engine = MakeEngine(TorchEngineFactory(*weights, card->normalization, 50));
  const Classified found =
      ClassifyAll(*engine, Views(digits.data(), PixelFormat::kGray8, labels.size()), 50);
  int right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    right += MostLikelyClass(found.row(i)) == labels[i];
  EXPECT_DOUBLE_EQ(right / 10'000.0, card->test_accuracy.value());
  EXPECT_GE(right, 9650);
}

TEST(TorchEngineTest, GreyLevelsAndNormalisedFloatsGiveTheSameAnswer) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(kPyTorchFiles + "/state_dict.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  std::vector<std::uint8_t> labels;
  const std::vector<std::uint8_t> digits = PaddedTestDigits(&labels);
  const std::vector<float> floats = ReadFloats(kPyTorchFiles + "/parity_inputs.f32");
  const std::size_t count = floats.size() / kImagePixels;
  const auto engine = MakeEngine(TorchEngineFactory(*weights, Normalization(), 64));
  const auto grey = ClassifyAll(*engine, Views(digits.data(), PixelFormat::kGray8, count), 64);
  const auto normalised =
      ClassifyAll(*engine, Views(floats.data(), PixelFormat::kFloat32, count), 64);
  for (std::size_t i = 0; i < grey.log_probabilities.size(); ++i) {
    EXPECT_NEAR(grey.log_probabilities[i], normalised.log_probabilities[i], 1e-5);
  }
}

TEST(TorchEngineTest, RejectsBatchesOfTheWrongSize) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(kPyTorchFiles + "/state_dict.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto engine = MakeEngine(TorchEngineFactory(*weights, Normalization(), 2));
  const std::vector<std::uint8_t> pixels(3 * kImagePixels);
  const auto views = Views(pixels.data(), PixelFormat::kGray8, 3);
  for (const absl::Status& status : testing::Classify(*engine, views).statuses) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(TorchEngineFactory(*weights, Normalization(), 0).ok());
}

// For both engines, an image whose output is not finite gets the error, whatever its position. The
// rows of the other images are the same, to the last bit, as with a good image in its place.
TEST(TorchEngineTest, AnOutputThatIsNotFiniteIsAnErrorOfItsOwnImage) {
  // These pixels are so large that products with them overflow.
  const absl::StatusOr<Weights> weights = Weights::Create(testing::RandomTensors(1));
  ASSERT_TRUE(weights.ok()) << weights.status();
  const std::vector<float> good = ReadFloats(kPyTorchFiles + "/parity_inputs.f32");
  constexpr std::size_t kCount = 17;
  ASSERT_GE(good.size(), kCount * kImagePixels);
  for (const float value : {std::numeric_limits<float>::infinity(), 3e38F}) {
    const std::vector<float> bad(kImagePixels, value);
    for (const auto& make : {TorchEngineFactory, TorchEagerEngineFactory}) {
      const auto engine = MakeEngine(make(*weights, Normalization(), kCount));
      const auto views = Views(good.data(), PixelFormat::kFloat32, kCount);
      const Classified wanted = ClassifyAll(*engine, views, kCount);
      for (std::size_t place = 0; place < kCount; ++place) {
        std::vector<ImageView> with_bad = views;
        with_bad[place] = Views(bad.data(), PixelFormat::kFloat32, 1)[0];
        const Classified found = testing::Classify(*engine, with_bad);
        for (std::size_t i = 0; i < kCount; ++i) {
          if (i == place) {
            EXPECT_EQ(found.statuses[i].code(), absl::StatusCode::kInvalidArgument);
          } else {
            EXPECT_TRUE(found.statuses[i].ok());
            EXPECT_EQ(found.row(i), wanted.row(i)) << "image " << i << ", bad: " << place;
          }
        }
      }
    }
  }
}

TEST(SaveWeightFileTest, RoundTripsAndIsReproducible) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(kPyTorchFiles + "/state_dict.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  const TemporaryDirectory directory;
  const std::string folder = directory.path() + "/";
  for (const char* name : {"a.pt", "b.pt"}) {
    const absl::Status saved = SaveWeightFile(*weights, folder + name);
    ASSERT_TRUE(saved.ok()) << saved;
  }
  EXPECT_EQ(ReadFile(folder + "a.pt"), ReadFile(folder + "b.pt"));
  const absl::StatusOr<Weights> again = LoadWeightFile(folder + "a.pt");
  ASSERT_TRUE(again.ok()) << again.status();
  for (const auto& [name, tensor] : weights->tensors()) {
    EXPECT_EQ(again->tensors().at(name).values, tensor.values) << name;
  }
}

TEST(SaveWeightFileTest, NamesAFileThatCannotBeWritten) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(kPyTorchFiles + "/state_dict.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (const std::string path : {"/nowhere/at/all.pt", "/nowhere/at/all.safetensors"}) {
    EXPECT_EQ(SaveWeightFile(*weights, path),
              absl::NotFoundError(path + ": cannot be written: No such file or directory"));
  }
}

}  // namespace
}  // namespace hellocnn
