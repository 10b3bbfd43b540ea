#include "hellocnn/simd/simd_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hellocnn/simd/kernels.h"
#include "tests/hellocnn/oracle.h"
#include "tests/hellocnn/simd/instruction_sets.h"

// glibc lets a program define malloc; sanitizers define it themselves.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
// Under a name of ours: its own is reserved, and only the linker needs it.
extern "C" void* LibcMalloc(std::size_t size) __asm__("__libc_malloc");
namespace {
thread_local int allocations = 0;
}
extern "C" void* malloc(std::size_t size) {
  ++allocations;
  return LibcMalloc(size);
}
#endif

namespace hellocnn {
namespace {

using testing::InstructionSetName;
using testing::InstructionSets;
using testing::OnInstructionSet;
using testing::Oracle;
using testing::RandomTensors;
using Answer = std::array<double, kClasses>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Weights MakeWeights(std::map<std::string, Tensor> tensors) {
  absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  EXPECT_TRUE(weights.ok()) << weights.status();
  return *std::move(weights);
}

std::map<std::string, Tensor> Scaled(std::map<std::string, Tensor> tensors, const std::string& name,
                                     float factor) {
  for (float& value : tensors.at(name).values) value *= factor;
  return tensors;
}

std::unique_ptr<Engine> MakeEngine(const Weights& weights, int max_batch_size) {
  const absl::StatusOr<EngineFactory> factory =
      SimdEngineFactory(weights, Normalization(), max_batch_size);
  EXPECT_TRUE(factory.ok()) << factory.status();
  absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

ImageView View(const std::vector<float>& image) {
  return {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(image.data())};
}

std::vector<float> RandomImage(unsigned seed, float magnitude = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> image(kImagePixels);
  for (float& pixel : image) pixel = magnitude * normal(random);
  return image;
}

// Grey images and float images by turns, at addresses that are multiples of nothing, and what the
// network should make of them.
struct Samples {
  static constexpr int kCount = 40;

  Samples() : weights(MakeWeights(RandomTensors(1))) {
    const Oracle oracle(weights);
    std::mt19937 random(2);
    bytes.resize(kCount * (BytesPerImage(PixelFormat::kFloat32) + 1) + 1);
    std::size_t at = 1;
    for (int i = 0; i < kCount; ++i) {
      const PixelFormat format = i % 2 == 0 ? PixelFormat::kGray8 : PixelFormat::kFloat32;
      if (format == PixelFormat::kGray8) {
        for (int p = 0; p < kImagePixels; ++p) bytes[at + p] = static_cast<std::byte>(random());
      } else {
        const std::vector<float> image = RandomImage(random());
        std::memcpy(&bytes[at], image.data(), BytesPerImage(format));
      }
      views.push_back({format, &bytes[at]});
      std::vector<float> input(kImagePixels);
      if (format == PixelFormat::kGray8) {
        NormalizeImage(views.back(), Normalization(), input.data());
      } else {
        std::memcpy(input.data(), &bytes[at], BytesPerImage(format));
      }
      answers.push_back(oracle.LogProbabilities(input));
      at += BytesPerImage(format) + 1;
    }
  }

  std::vector<std::byte> bytes;
  std::vector<ImageView> views;
  std::vector<Answer> answers;
  Weights weights;
};

const Samples& GetSamples() {
  static const Samples* const samples = new Samples();
  return *samples;
}

// `tolerance` is in proportion to the greatest log-probability, by magnitude, if that is above 1.
void ExpectNear(const Prediction& prediction, const Answer& wanted, double tolerance) {
  double greatest = 1;
  for (const double value : wanted) greatest = std::max(greatest, std::abs(value));
  for (int k = 0; k < kClasses; ++k) {
    EXPECT_NEAR(prediction.log_probabilities[k], wanted[k], tolerance * greatest) << "class " << k;
  }
}

class SimdEngineTest : public OnInstructionSet {};

INSTANTIATE_TEST_SUITE_P(, SimdEngineTest, ::testing::ValuesIn(InstructionSets()),
                         InstructionSetName);

TEST_P(SimdEngineTest, AgreesWithUnrolledMatricesInEveryBatchSize) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, Samples::kCount);
  std::vector<Prediction> alone(Samples::kCount);
  for (int i = 0; i < Samples::kCount; ++i) {
    ASSERT_TRUE(engine->Classify({&samples.views[i], 1}, {&alone[i], 1}).ok());
    SCOPED_TRACE(i);
    ExpectNear(alone[i], samples.answers[i], 1e-5);
  }
  for (std::size_t count = 2; count <= Samples::kCount; ++count) {
    std::vector<Prediction> together(count);
    // The last ones, so that lanes hold other images each time.
    const auto views = std::span(samples.views).last(count);
    ASSERT_TRUE(engine->Classify(views, together).ok());
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(together[i].log_probabilities, alone[Samples::kCount - count + i].log_probabilities)
          << "image " << i << " of " << count;
    }
  }
}

// Both paths, without the engine's choice between them.
TEST_P(SimdEngineTest, EmptyLanesDoNotMatter) {
  const Samples& samples = GetSamples();
  const simd::Kernels& kernels = simd::BestKernels();
  const simd::PackedWeights weights(samples.weights, Normalization());
  const auto scratch = hwy::AllocateAligned<std::byte>(kernels.scratch_bytes);
  for (int count = 1; count <= 2 * kernels.lanes; ++count) {
    std::vector<Prediction> predictions(count);
    kernels.classify_blocks(weights, samples.views.data(), count, scratch.get(),
                            predictions.data());
    for (int i = 0; i < count; ++i) ExpectNear(predictions[i], samples.answers[i], 1e-5);
  }
  std::vector<Prediction> predictions(Samples::kCount);
  kernels.classify_each(weights, samples.views.data(), Samples::kCount, scratch.get(),
                        predictions.data());
  std::vector<Prediction> unsafe(Samples::kCount);
  kernels.classify_each_unsafe(weights, samples.views.data(), Samples::kCount, scratch.get(),
                               unsafe.data());
  for (int i = 0; i < Samples::kCount; ++i) {
    ExpectNear(predictions[i], samples.answers[i], 1e-5);
    EXPECT_EQ(predictions[i].log_probabilities, unsafe[i].log_probabilities);
  }
}

TEST_P(SimdEngineTest, ScratchIsAsLargeAsTheHeaderSays) {
  const simd::Kernels& kernels = simd::BestKernels();
  if (kernels.lanes < 4) GTEST_SKIP() << "said of vectors only";
  EXPECT_LE(kernels.scratch_bytes, 16'000U * kernels.lanes);
  EXPECT_GE(kernels.scratch_bytes, 15'000U * kernels.lanes);
}

TEST_P(SimdEngineTest, DenormalInputsAreNotTakenForZero) {
  const Weights weights = MakeWeights(Scaled(RandomTensors(3), "conv.0.weight", 1e37F));
  const std::vector<float> image = RandomImage(4, 1e-39F);
  const Answer wanted = Oracle(weights).LogProbabilities(image);
  const auto engine = MakeEngine(weights, 33);
  for (const std::size_t count : {1, 33}) {
    const std::vector<ImageView> views(count, View(image));
    std::vector<Prediction> predictions(count);
    ASSERT_TRUE(engine->Classify(views, predictions).ok());
    for (const Prediction& prediction : predictions) ExpectNear(prediction, wanted, 1e-5);
  }
  // The images do make a difference, so the test can fail.
  const Answer of_zeros = Oracle(weights).LogProbabilities(std::vector<float>(kImagePixels));
  EXPECT_GT(std::abs(of_zeros[0] - wanted[0]), 1e-3);
}

TEST_P(SimdEngineTest, DenormalWeightsAndActivationsAreComputedWith) {
  std::map<std::string, Tensor> tensors = Scaled(RandomTensors(3), "conv.3.weight", 1e-39F);
  tensors = Scaled(Scaled(std::move(tensors), "conv.3.bias", 0), "conv.6.weight", 1e38F);
  const Weights weights = MakeWeights(std::move(tensors));
  const std::vector<float> image = RandomImage(4);
  const Answer wanted = Oracle(weights).LogProbabilities(image);
  const auto engine = MakeEngine(weights, 1);
  const ImageView view = View(image);
  Prediction prediction;
  ASSERT_TRUE(engine->Classify({&view, 1}, {&prediction, 1}).ok());
  ExpectNear(prediction, wanted, 1e-4);  // denormals have fewer digits
}

TEST_P(SimdEngineTest, LargeFiniteInputsGiveLargeFiniteAnswers) {
  const Weights& weights = GetSamples().weights;
  const auto engine = MakeEngine(weights, 33);
  for (const float magnitude : {1e6F, 1e20F, 1e30F, 1e34F}) {
    const std::vector<float> image = RandomImage(5, magnitude);
    const Answer wanted = Oracle(weights).LogProbabilities(image);
    for (const std::size_t count : {1, 33}) {
      const std::vector<ImageView> views(count, View(image));
      std::vector<Prediction> predictions(count);
      ASSERT_TRUE(engine->Classify(views, predictions).ok()) << magnitude;
      for (const Prediction& prediction : predictions) {
        ExpectNear(prediction, wanted, 1e-5);
      }
    }
  }
}

// Of 33 images one is bad; the whole batch fails, as its predictions would be unspecified.
void ExpectInternal(const Weights& weights, const std::vector<float>& image) {
  const std::vector<float> blank(kImagePixels);
  const auto engine = MakeEngine(weights, 33);
  for (const std::size_t count : {1, 2, 33}) {
    std::vector<ImageView> views(count, View(blank));
    views.back() = View(image);
    std::vector<Prediction> predictions(count);
    EXPECT_EQ(engine->Classify(views, predictions).code(), absl::StatusCode::kInvalidArgument)
        << count;
  }
}

TEST_P(SimdEngineTest, AnOutputThatIsNotFiniteIsAnError) {
  const Weights& weights = GetSamples().weights;
  ExpectInternal(weights, std::vector<float>(kImagePixels, kInfinity));
  ExpectInternal(weights, std::vector<float>(kImagePixels, 3e38F));
  ExpectInternal(MakeWeights(Scaled(RandomTensors(1), "conv.6.weight", 1e38F)),
                 RandomImage(6, 1e4F));
}

// Maximum instructions drop a NaN or keep it as the order of their operands has it.
TEST_P(SimdEngineTest, OneNanAnywhereIsAnErrorInSpiteOfPoolsAndReLUs) {
  const Weights& weights = GetSamples().weights;
  for (const int pixel : {0, 31, 400, 528, 992, 1023}) {
    for (const float nan : {kNan, -kNan}) {
      std::vector<float> image = RandomImage(7);
      image[pixel] = nan;
      ExpectInternal(weights, image);
    }
  }
  // One position of convolution 1 has infinity minus infinity in it.
  const Weights large = MakeWeights(Scaled(RandomTensors(1), "conv.0.weight", 1e3F));
  std::vector<float> image(kImagePixels);
  for (int x = 12; x < 17; ++x) image[16 * kImageSide + x] = x % 2 == 0 ? 3e38F : -3e38F;
  ExpectInternal(large, image);
}

TEST_P(SimdEngineTest, WeightsThatLeaveNoInputSafeStillGiveAnswers) {
  // Gains multiply to more than a float holds, but these images are zero where it would show.
  std::map<std::string, Tensor> tensors = RandomTensors(8);
  for (const char* name : {"conv.0.weight", "conv.3.weight", "conv.6.weight"}) {
    tensors = Scaled(std::move(tensors), name, 1e30F);
  }
  for (const char* name : {"conv.0.bias", "conv.3.bias", "conv.6.bias"}) {
    tensors = Scaled(std::move(tensors), name, 0);
  }
  const Weights weights = MakeWeights(std::move(tensors));
  ASSERT_LT(simd::PackedWeights(weights, Normalization()).safe_magnitude, 0);
  const std::vector<float> blank(kImagePixels);
  const Answer wanted = Oracle(weights).LogProbabilities(blank);
  const std::vector<ImageView> views(33, View(blank));
  std::vector<Prediction> predictions(33);
  ASSERT_TRUE(MakeEngine(weights, 33)->Classify(views, predictions).ok());
  for (const Prediction& prediction : predictions) ExpectNear(prediction, wanted, 1e-5);
  ExpectInternal(weights, RandomImage(9));
}

TEST_P(SimdEngineTest, EnginesOfOneFactoryRunAtTheSameTime) {
  const Samples& samples = GetSamples();
  const absl::StatusOr<EngineFactory> factory =
      SimdEngineFactory(samples.weights, Normalization(), Samples::kCount);
  ASSERT_TRUE(factory.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const auto engine = (*factory)();
      ASSERT_TRUE(engine.ok());
      std::vector<Prediction> predictions(Samples::kCount);
      ASSERT_TRUE((*engine)->Classify(samples.views, predictions).ok());
      for (int i = 0; i < Samples::kCount; ++i) {
        ExpectNear(predictions[i], samples.answers[i], 1e-5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(SimdEngineTest, AllocatesNothingWhileClassifying) {
#ifdef COUNTS_ALLOCATIONS
  const Samples& samples = GetSamples();
  const int before_engine = allocations;
  const auto engine = MakeEngine(samples.weights, Samples::kCount);
  ASSERT_GT(allocations, before_engine) << "nothing is counted";
  std::vector<Prediction> predictions(Samples::kCount);
  for (const std::size_t count : {1, 7, 16, 37, 40}) {
    const int before = allocations;
    const absl::Status status = engine->Classify(std::span(samples.views).first(count),
                                                 std::span(predictions).first(count));
    const int after = allocations;
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(after, before) << count;
  }
#else
  GTEST_SKIP() << "malloc belongs to the sanitizer";
#endif
}

TEST(SimdEngineFactoryTest, RefusesBatchesOfTheWrongSize) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, 2);
  std::vector<Prediction> predictions(3);
  EXPECT_EQ(engine->Classify(std::span(samples.views).first(3), predictions).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine->Classify(std::span(samples.views).first(2), predictions).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine->Classify({}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SimdEngineFactory(samples.weights, Normalization(), 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SimdEngineFactoryTest, EnginesOutliveTheirFactory) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, 1);
  Prediction prediction;
  ASSERT_TRUE(engine->Classify({samples.views.data(), 1}, {&prediction, 1}).ok());
  ExpectNear(prediction, samples.answers[0], 1e-5);
}

}  // namespace
}  // namespace hellocnn
