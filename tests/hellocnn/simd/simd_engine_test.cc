#include "hellocnn/simd/simd_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hellocnn/simd/kernels.h"
#include "tests/hellocnn/oracle.h"
#include "tests/hellocnn/simd/instruction_sets.h"
#include "tests/testing/classify.h"

// A program may define malloc with glibc, but not with sanitizers, which define it themselves.
#if defined(__GLIBC__) && !defined(HELLOCNN_SANITIZED)
#define COUNTS_ALLOCATIONS 1
// The function gets another name in C++, because its own name is reserved. Only the linker needs
// the latter.
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

using testing::Classified;
using testing::Classify;
using testing::InstructionSetName;
using testing::InstructionSets;
using testing::OnInstructionSet;
using testing::Oracle;
using testing::RandomTensors;
using Answer = std::vector<double>;

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

// Alternating grey images and float images, at unaligned addresses, and the expected results of the
// network.
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

// Expects that `row` is close to `wanted`. `tolerance` is relative to the magnitude of the greatest
// log-probability if that magnitude is above 1, and absolute otherwise.
void ExpectNear(const std::vector<float>& row, const Answer& wanted, double tolerance) {
  ASSERT_EQ(row.size(), wanted.size());
  double greatest = 1;
  for (const double value : wanted) greatest = std::max(greatest, std::abs(value));
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    EXPECT_NEAR(row[k], wanted[k], tolerance * greatest) << "class " << k;
  }
}

// Classifies `count` copies of an image, and expects the result `wanted` for each of them.
void ExpectAnswer(const Weights& weights, const std::vector<float>& image, std::size_t count,
                  const Answer& wanted, double tolerance) {
  const auto engine = MakeEngine(weights, static_cast<int>(count));
  const Classified found = Classify(*engine, std::vector<ImageView>(count, View(image)));
  ASSERT_TRUE(found.status().ok()) << found.status();
  for (std::size_t i = 0; i < count; ++i) ExpectNear(found.row(i), wanted, tolerance);
}

class SimdEngineTest : public OnInstructionSet {};

INSTANTIATE_TEST_SUITE_P(, SimdEngineTest, ::testing::ValuesIn(InstructionSets()),
                         InstructionSetName);

TEST_P(SimdEngineTest, AgreesWithUnrolledMatricesInEveryBatchSize) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, Samples::kCount);
  EXPECT_EQ(engine->classes(), 10);
  std::vector<Classified> alone;
  for (std::size_t i = 0; i < Samples::kCount; ++i) {
    alone.push_back(Classify(*engine, samples.views[i]));
    ASSERT_TRUE(alone[i].status().ok());
    SCOPED_TRACE(i);
    ExpectNear(alone[i].row(0), samples.answers[i], 1e-5);
  }
  for (std::size_t count = 2; count <= Samples::kCount; ++count) {
    // Taking the last images puts different images into the lanes each time.
    const Classified together = Classify(*engine, std::span(samples.views).last(count));
    ASSERT_TRUE(together.status().ok());
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(together.row(i), alone[Samples::kCount - count + i].log_probabilities)
          << "image " << i << " of " << count;
    }
  }
}

TEST_P(SimdEngineTest, AgreesForAnyNumberOfClasses) {
  for (const int classes : {2, 3, 12, 13, 16, 17, 26, 47, 64, 65, 100, 1000, 1024}) {
    SCOPED_TRACE(classes);
    const Weights weights = MakeWeights(RandomTensors(11, classes));
    const Oracle oracle(weights);
    const auto engine = MakeEngine(weights, 40);
    ASSERT_EQ(engine->classes(), classes);
    std::vector<std::vector<float>> images;
    std::vector<Answer> answers;
    for (unsigned i = 0; i < 3; ++i) {
      images.push_back(RandomImage(i));
      answers.push_back(oracle.LogProbabilities(images.back()));
    }
    std::vector<ImageView> views;
    for (std::size_t i = 0; i < 40; ++i) views.push_back(View(images[i % images.size()]));
    // Some of these batches are computed one by one, some in blocks, and some in both ways.
    for (const std::size_t count : {1, 3, 16, 33, 40}) {
      const Classified found = Classify(*engine, std::span(views).first(count));
      ASSERT_TRUE(found.status().ok());
      for (std::size_t i = 0; i < count; ++i) {
        ExpectNear(found.row(i), answers[i % answers.size()], 1e-5);
        EXPECT_EQ(found.row(i), found.row(i % images.size()));
      }
    }
  }
}

// Calls both paths directly, without the engine's choice between them, on reordered images.
TEST_P(SimdEngineTest, EmptyLanesDoNotMatter) {
  const Samples& samples = GetSamples();
  const simd::Kernels& kernels = simd::BestKernels();
  const simd::PackedWeights weights(samples.weights, Normalization());
  const auto scratch = hwy::AllocateAligned<std::byte>(kernels.scratch_bytes(10));
  constexpr std::size_t kValues = Samples::kCount * 10;
  std::vector<int> backwards(Samples::kCount);
  for (int i = 0; i < Samples::kCount; ++i) backwards[i] = Samples::kCount - 1 - i;
  const auto row = [](const std::vector<float>& rows, int image) {
    return std::vector<float>(rows.begin() + image * 10, rows.begin() + image * 10 + 10);
  };
  const std::vector<float> untouched(10, 7);
  for (int count = 1; count <= 2 * kernels.lanes; ++count) {
    std::vector<float> rows(kValues, 7);
    kernels.classify_blocks(weights, samples.views.data(), backwards.data(), count, scratch.get(),
                            rows.data());
    for (int i = 0; i < Samples::kCount; ++i) {
      if (i < Samples::kCount - count) {
        EXPECT_EQ(row(rows, i), untouched);
      } else {
        ExpectNear(row(rows, i), samples.answers[i], 1e-5);
      }
    }
  }
  std::vector<float> rows(kValues);
  kernels.classify_each(weights, samples.views.data(), backwards.data(), Samples::kCount,
                        scratch.get(), rows.data());
  std::vector<float> unsafe(kValues);
  kernels.classify_each_unsafe(weights, samples.views.data(), backwards.data(), Samples::kCount,
                               scratch.get(), unsafe.data());
  for (int i = 0; i < Samples::kCount; ++i) ExpectNear(row(rows, i), samples.answers[i], 1e-5);
  EXPECT_EQ(rows, unsafe);
}

TEST_P(SimdEngineTest, ScratchIsAsLargeAsTheHeaderSays) {
  const simd::Kernels& kernels = simd::BestKernels();
  if (kernels.lanes < 4) GTEST_SKIP() << "said of vectors only";
  EXPECT_LE(kernels.scratch_bytes(10), 16'000U * kernels.lanes);
  EXPECT_GE(kernels.scratch_bytes(10), 15'000U * kernels.lanes);
  EXPECT_LE(kernels.scratch_bytes(1024), 24'000U * kernels.lanes);
}

TEST_P(SimdEngineTest, DenormalInputsAreNotTakenForZero) {
  const Weights weights = MakeWeights(Scaled(RandomTensors(3), "conv.0.weight", 1e37F));
  const std::vector<float> image = RandomImage(4, 1e-39F);
  const Answer wanted = Oracle(weights).LogProbabilities(image);
  for (const std::size_t count : {1, 33}) ExpectAnswer(weights, image, count, wanted, 1e-5);
  // The images change the result, so the test can fail.
  const Answer of_zeros = Oracle(weights).LogProbabilities(std::vector<float>(kImagePixels));
  EXPECT_GT(std::abs(of_zeros[0] - wanted[0]), 1e-3);
}

TEST_P(SimdEngineTest, DenormalWeightsAndActivationsAreComputedWith) {
  std::map<std::string, Tensor> tensors = Scaled(RandomTensors(3), "conv.3.weight", 1e-39F);
  tensors = Scaled(Scaled(std::move(tensors), "conv.3.bias", 0), "conv.6.weight", 1e38F);
  const Weights weights = MakeWeights(std::move(tensors));
  const std::vector<float> image = RandomImage(4);
  const Answer wanted = Oracle(weights).LogProbabilities(image);
  ExpectAnswer(weights, image, 1, wanted, 1e-4);  // denormals have a lower precision
}

TEST_P(SimdEngineTest, LargeFiniteInputsGiveLargeFiniteAnswers) {
  const Weights& weights = GetSamples().weights;
  for (const float magnitude : {1e6F, 1e20F, 1e30F, 1e34F}) {
    SCOPED_TRACE(magnitude);
    const std::vector<float> image = RandomImage(5, magnitude);
    const Answer wanted = Oracle(weights).LogProbabilities(image);
    for (const std::size_t count : {1, 33}) ExpectAnswer(weights, image, count, wanted, 1e-5);
  }
}

// Expects that one bad image of a batch gets the error, whatever its position. The rows of the
// other images must be the same, to the last bit, as if they were alone.
void ExpectOneIsInvalid(const Weights& weights, const std::vector<float>& bad) {
  const std::vector<std::vector<float>> good{RandomImage(20), RandomImage(21), RandomImage(22),
                                             std::vector<float>(kImagePixels)};
  const auto engine = MakeEngine(weights, 35);
  std::vector<Classified> alone;
  for (const std::vector<float>& image : good) alone.push_back(Classify(*engine, View(image)));
  // The bad image is alone, among images that are computed one by one, and in each lane of two
  // blocks.
  for (const std::size_t count : {1, 3, 35}) {
    for (std::size_t place = 0; place < count; ++place) {
      std::vector<ImageView> views;
      for (std::size_t i = 0; i < count; ++i) {
        views.push_back(View(i == place ? bad : good[i % good.size()]));
      }
      const Classified found = Classify(*engine, views);
      for (std::size_t i = 0; i < count; ++i) {
        const auto& wanted = alone[i % good.size()];
        EXPECT_EQ(found.statuses[i].code(),
                  i == place ? absl::StatusCode::kInvalidArgument : wanted.statuses[0].code())
            << "image " << i << " of " << count << ", bad: " << place;
        if (i == place || !wanted.statuses[0].ok()) continue;
        EXPECT_EQ(found.row(i), wanted.log_probabilities)
            << "image " << i << " of " << count << ", bad: " << place;
      }
    }
  }
}

TEST_P(SimdEngineTest, AnOutputThatIsNotFiniteIsAnError) {
  const Weights& weights = GetSamples().weights;
  ExpectOneIsInvalid(weights, std::vector<float>(kImagePixels, kInfinity));
  ExpectOneIsInvalid(weights, std::vector<float>(kImagePixels, 3e38F));
  ExpectOneIsInvalid(MakeWeights(Scaled(RandomTensors(1), "conv.6.weight", 1e38F)),
                     RandomImage(6, 1e4F));
}

// The order of the operands decides whether a maximum instruction drops or keeps a NaN.
TEST_P(SimdEngineTest, OneNanAnywhereIsAnErrorInSpiteOfPoolsAndReLUs) {
  const Weights& weights = GetSamples().weights;
  for (const int pixel : {0, 31, 400, 528, 992, 1023}) {
    for (const float nan : {kNan, -kNan}) {
      std::vector<float> image = RandomImage(7);
      image[pixel] = nan;
      ExpectOneIsInvalid(weights, image);
    }
  }
  // One position of convolution 1 computes infinity minus infinity.
  const Weights large = MakeWeights(Scaled(RandomTensors(1), "conv.0.weight", 1e3F));
  std::vector<float> image(kImagePixels);
  for (int x = 12; x < 17; ++x) image[16 * kImageSide + x] = x % 2 == 0 ? 3e38F : -3e38F;
  ExpectOneIsInvalid(large, image);
}

TEST_P(SimdEngineTest, WeightsThatLeaveNoInputSafeStillGiveAnswers) {
  // The product of the gains exceeds the range of a float, but these images are zero where that
  // would have an effect.
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
  ExpectAnswer(weights, blank, 33, wanted, 1e-5);
  ExpectOneIsInvalid(weights, RandomImage(9));
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
      const Classified found = Classify(**engine, samples.views);
      ASSERT_TRUE(found.status().ok());
      for (std::size_t i = 0; i < Samples::kCount; ++i) {
        ExpectNear(found.row(i), samples.answers[i], 1e-5);
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
  std::vector<float> rows(Samples::kCount * 10);
  std::vector<absl::Status> statuses(Samples::kCount);
  for (const std::size_t count : {1, 7, 16, 37, 40}) {
    const int before = allocations;
    engine->Classify(std::span(samples.views).first(count), std::span(rows).first(count * 10),
                     std::span(statuses).first(count));
    const int after = allocations;
    for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok());
    EXPECT_EQ(after, before) << count;
  }
#else
  GTEST_SKIP() << "malloc belongs to the sanitizer";
#endif
}

TEST(SimdEngineFactoryTest, RejectsBatchesOfTheWrongSize) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, 2);
  const Classified too_many = Classify(*engine, std::span(samples.views).first(3));
  for (const absl::Status& status : too_many.statuses) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  std::vector<float> rows(30);
  std::vector<absl::Status> statuses(2);
  engine->Classify(std::span(samples.views).first(2), rows, statuses);
  EXPECT_EQ(statuses[0].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(statuses[1].code(), absl::StatusCode::kInvalidArgument);
  engine->Classify({}, {}, {});  // there is no status to set
  EXPECT_EQ(SimdEngineFactory(samples.weights, Normalization(), 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SimdEngineFactoryTest, EnginesOutliveTheirFactory) {
  const Samples& samples = GetSamples();
  const auto engine = MakeEngine(samples.weights, 1);
  const Classified found = Classify(*engine, samples.views[0]);
  ASSERT_TRUE(found.status().ok());
  ExpectNear(found.row(0), samples.answers[0], 1e-5);
}

}  // namespace
}  // namespace hellocnn
