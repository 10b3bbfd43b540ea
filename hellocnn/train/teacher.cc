#include "hellocnn/train/teacher.h"

namespace hellocnn {
namespace {

constexpr Hyperparameters kTeacherHyperparameters{.learning_rate = 2e-3, .distortion = 1};

}  // namespace

Trainee MakeTeacher(int classes) {
  using torch::nn::Conv2d;
  using torch::nn::MaxPool2d;
  using torch::nn::ReLU;
  torch::nn::Sequential layers(
      Conv2d(torch::nn::Conv2dOptions(1, 16, 5)), MaxPool2d(torch::nn::MaxPool2dOptions(2)), ReLU(),
      Conv2d(torch::nn::Conv2dOptions(16, 48, 5)), MaxPool2d(torch::nn::MaxPool2dOptions(2)),
      ReLU(), Conv2d(torch::nn::Conv2dOptions(48, 128, 5)), ReLU(), torch::nn::Flatten(),
      torch::nn::Linear(128, classes), torch::nn::LogSoftmax(1));
  return AsTrainee(layers);
}

absl::StatusOr<Teacher> TrainTeacher(const RunOptions& student, const Split& data,
                                     const ProgressObserver& observer) {
  RunOptions options = student;
  options.name = "teacher";
  options.epochs = student.distillation.teacher_epochs;
  options.patience = options.epochs;
  options.hyperparameters = kTeacherHyperparameters;
  options.averaging = 0;
  options.distillation.teacher_epochs = 0;  // nobody teaches the teacher
  torch::manual_seed(options.seed);
  const Trainee network = MakeTeacher(options.classes);
  const absl::StatusOr<RunReport> report = TrainNetwork(options, network, data, observer, nullptr);
  if (!report.ok()) return report.status();
  return Teacher{network, *report};
}

}  // namespace hellocnn
