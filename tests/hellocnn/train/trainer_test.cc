#include "hellocnn/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "hellocnn/train/teacher.h"

namespace hellocnn {
namespace {

// Stripes: the class is the place of a bright row, so that a few steps learn something.
Dataset Stripes(std::int64_t count, std::uint64_t seed) {
  torch::manual_seed(seed);
  Dataset data{torch::randint(0, 64, {count, 1, 32, 32}, torch::kUInt8),
               torch::arange(count).remainder(4)};
  for (std::int64_t i = 0; i < count; ++i) data.images[i][0][4 + 7 * (i % 4)].fill_(255);
  return data;
}

struct Interruption : std::exception {};

// Returns an observer that interrupts the run `name` during the epoch `last`.
ProgressObserver StoppingAt(const std::string& name, int last) {
  return {[=](const RunOptions& run, int epoch, double) {
            if (run.name == name && epoch == last) throw Interruption();
          },
          [](const RunOptions&, const EpochReport&, absl::Duration) {}};
}

struct TrainerTest : ::testing::Test {
  TrainerTest() {
    std::filesystem::create_directories(folder);
    options.name = "run";
    options.classes = 4;
    options.epochs = 4;
    options.batch_size = 8;
    options.averaging = 0.9;
    options.hyperparameters = {.learning_rate = 3e-3, .distortion = 0.2};
    options.distillation = {.teacher_epochs = 2, .temperature = 2, .copies = 2};
    options.checkpoint_directory = folder;
  }
  ~TrainerTest() override { std::filesystem::remove_all(folder); }

  const std::string folder = ::testing::TempDir() + "trainer_test_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const Split data{Stripes(64, 1), Stripes(16, 2)};
  RunOptions options;
  ProgressObserver observer{[](const RunOptions&, int, double) {},
                            [](const RunOptions&, const EpochReport&, absl::Duration) {}};
};

TEST_F(TrainerTest, AnInterruptedRunWithATeacherEndsWithTheSameWeights) {
  const absl::StatusOr<Teacher> teacher = TrainTeacher(options, data, observer);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const absl::StatusOr<RunResult> whole = Train(options, data, observer, &teacher->network);
  ASSERT_TRUE(whole.ok()) << whole.status();

  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(TrainTeacher(options, data, StoppingAt("teacher", 2)).ok());
  const ProgressObserver stopping = StoppingAt("run", 3);
  const absl::StatusOr<Teacher> again = TrainTeacher(options, data, stopping);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(Train(options, data, stopping, &again->network).ok());

  std::optional<int> first;
  observer.on_epoch = [&](const RunOptions& run, const EpochReport& report, absl::Duration) {
    EXPECT_EQ(run.name, "run");
    if (!first) first = report.epoch;
  };
  const absl::StatusOr<Teacher> resumed_teacher = TrainTeacher(options, data, observer);
  ASSERT_TRUE(resumed_teacher.ok()) << resumed_teacher.status();
  const absl::StatusOr<RunResult> resumed =
      Train(options, data, observer, &resumed_teacher->network);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(first, 3);
  EXPECT_EQ(resumed->best_epoch, whole->best_epoch);
  const auto wanted = whole->network->parameters();
  const auto found = resumed->network->parameters();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(torch::equal(found[i], wanted[i])) << i;
}

TEST_F(TrainerTest, ReportsTheAccuracyOfTheWeightsThatItReturns) {
  const absl::StatusOr<RunResult> result = Train(options, data, observer, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->best_validation_accuracy,
            Accuracy(LogProbabilities(AsTrainee(result->network), data.validation.images,
                                      options.normalization),
                     data.validation.labels));
}

TEST_F(TrainerTest, CheckpointsOfAnotherTeacherAreRejected) {
  const Trainee teacher = MakeTeacher(4);
  options.epochs = 1;
  ASSERT_TRUE(Train(options, data, observer, &teacher).ok());
  options.distillation.temperature = 5;
  const absl::StatusOr<RunResult> other = Train(options, data, observer, &teacher);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), ::testing::HasSubstr("temperature=5"));
}

TEST(TeacherTest, GivesLogProbabilitiesOfAllClasses) {
  torch::manual_seed(1);
  const Trainee teacher = MakeTeacher(3);
  const torch::Tensor rows =
      LogProbabilities(teacher, torch::randint(0, 256, {2, 1, 32, 32}, torch::kUInt8), {});
  EXPECT_EQ(rows.sizes(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(torch::allclose(rows.exp().sum(1), torch::ones(2)));
}

}  // namespace
}  // namespace hellocnn
