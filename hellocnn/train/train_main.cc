// hellocnn-train: trains a model on labelled images and writes its weights and its model card.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/command_line/command_line.h"
#include "base/file.h"
#include "base/out_of_memory.h"
#include "base/shown.h"
#include "base/standard_descriptors.h"
#include "base/version.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"
#include "hellocnn/torch/torch_engine.h"
#include "hellocnn/train/calibration.h"
#include "hellocnn/train/dataset.h"
#include "hellocnn/train/teacher.h"
#include "hellocnn/train/trainee.h"
#include "hellocnn/train/trainer.h"
#include "hellocnn/train/training_data.h"
#include "hellocnn/train/training_report.h"

namespace hellocnn {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  scripts/fetch-mnist.sh data/mnist\n"
    "  hellocnn-train --data data/mnist --output models/mnist/3 --version-label 3\n"
    "  hellocnn-train --data data/mnist --output /tmp/quick --epochs 2 --search-epochs 0\n"
    "  hellocnn-train --data data/mnist --output models/mnist/4 --format safetensors\n"
    "  hellocnn-train --data data/mnist --output models/mnist/5 --teacher-epochs 6\n"
    "  hellocnn-train --data pictures --output models/animals/1 --name animals\n"
    "\n"
    "An interrupted training goes on where it was when the same command is given again.\n"
    "Exit codes: 0 fine, 1 failed, 2 wrong usage.";

struct Flags {
  TrainingDataOptions data;
  std::string output;
  std::string name = "mnist";
  std::string version = "1";
  std::string format = "pt";
  std::uint64_t seed = 1;
  std::int64_t validation_size = 0;  // 0: DefaultValidationSize
  int epochs = 40;
  int search_epochs = 2;
  std::vector<double> learning_rates{1e-3, 3e-3};
  std::vector<double> distortions{0, 0.5};
  int batch_size = 64;
  int patience = 15;
  double weight_decay = 0.01;
  double averaging = 0;
  DistillationOptions distillation;
  bool restart = false;
};

int Fail(const absl::Status& status) {
  std::cerr << "hellocnn-train: " << Printable(std::string(status.message())) << "\n";
  return 1;
}

void PrintNote(const std::string& note) {
  std::cerr << "hellocnn-train: note: " << Printable(note) << "\n";
}

ProgressObserver TerminalProgress() {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  ProgressObserver observer;
  observer.on_step = [terminal, shown = -1](const RunOptions& run, int epoch, double done) mutable {
    const int percent = static_cast<int>(done * 100);
    if (!terminal || percent == shown) return;
    shown = percent;
    std::fprintf(stderr, "\r%-14s epoch %3d/%d  %3d%%", run.name.c_str(), epoch, run.epochs,
                 percent);
  };
  observer.on_epoch = [terminal](const RunOptions& run, const EpochReport& report,
                                 absl::Duration left) {
    std::fprintf(stderr, "%s%-14s epoch %3d/%d  loss %.4f  validation %.2f%%  %s left\n",
                 terminal ? "\r" : "", run.name.c_str(), report.epoch, run.epochs,
                 report.training_loss, report.validation_accuracy * 100,
                 absl::FormatDuration(absl::Trunc(left, absl::Seconds(1))).c_str());
  };
  return observer;
}

// Makes a short run for each pair of hyperparameters. Returns the pairs in the order of the runs,
// each with its best validation accuracy.
absl::StatusOr<std::vector<std::pair<Hyperparameters, double>>> Search(
    const Flags& flags, const RunOptions& base, const Split& data, const ProgressObserver& observer,
    const Trainee* teacher) {
  std::vector<std::pair<Hyperparameters, double>> tried;
  if (flags.search_epochs == 0) return tried;
  for (const double rate : flags.learning_rates) {
    for (const double distortion : flags.distortions) {
      RunOptions run = base;
      run.name = absl::StrCat("lr", rate, "-d", distortion);
      run.epochs = flags.search_epochs;
      run.hyperparameters = {rate, distortion};
      absl::StatusOr<RunResult> result = Train(run, data, observer, teacher);
      if (!result.ok()) return result.status();
      tried.emplace_back(run.hyperparameters, result->best_validation_accuracy);
    }
  }
  return tried;
}

std::string TestResult(const TrainingReport& report) {
  if (!report.test_labels.defined()) return "no test set";
  const torch::Tensor classes = report.test_log_probabilities.argmax(1);
  const auto right = classes.eq(report.test_labels).sum().item<std::int64_t>();
  const std::int64_t total = report.test_labels.size(0);
  return absl::StrFormat("test %.2f%% (%d of %d), calibration error %.2f%%",
                         100.0 * static_cast<double>(right) / static_cast<double>(total), right,
                         total,
                         100 * CalibrationError(report.test_log_probabilities, report.test_labels));
}

void AddDistillationOptions(CLI::App& app, Flags& flags) {
  app.add_option("--averaging", flags.averaging,
                 "Share of the old average that each step keeps in the moving average of the "
                 "weights; 0 does not average")
      ->check(CLI::Range(0.0, 0.99999));
  app.add_option("--teacher-epochs", flags.distillation.teacher_epochs,
                 "Epochs of a larger network that teaches this one; 0 learns from the labels alone")
      ->check(CLI::Range(0, 100000));
  app.add_option("--temperature", flags.distillation.temperature,
                 "Of the probabilities that the teacher passes on; more shows more of the classes "
                 "that it finds unlikely")
      ->check(CLI::Range(0.1, 100.0));
  app.add_option("--copies", flags.distillation.copies,
                 "Distorted copies of the training images that the teacher sees; each takes about "
                 "1 kB of memory for each image")
      ->check(CLI::Range(1, 64));
}

int Main(const Flags& flags) {
  namespace fs = std::filesystem;
  SetUpLibTorch();  // with one thread, the sums have the same order on every machine
  absl::StatusOr<TrainingData> training = LoadTrainingData(flags.data);
  if (!training.ok()) return Fail(training.status());
  for (const std::string& note : training->notes) PrintNote(note);
  const Dataset& all = training->all;
  if (all.looks_inverted) {
    std::cerr << "hellocnn-train: hint: the edges of these images are bright, but the server pads "
                 "images with black; "
              << (flags.data.load.mending.invert ? "leave --invert out"
                                                 : "--invert exchanges black and white")
              << "\n";
  }
  const std::int64_t validation_size =
      flags.validation_size > 0 ? flags.validation_size : DefaultValidationSize(all.size());
  if (validation_size + flags.batch_size > all.size()) {
    std::cerr << "hellocnn-train: --validation-size " << validation_size << " leaves less than "
              << "one batch of " << all.size() << " examples for training: --batch-size is "
              << flags.batch_size << "\n";
    return 2;
  }
  const Split data = SplitDataset(all, validation_size, flags.seed);
  const absl::StatusOr<Normalization> normalization =
      ChooseNormalization(flags.data, data.training);
  if (!normalization.ok()) return Fail(normalization.status());
  const fs::path checkpoints = fs::path(flags.output) / "training";
  std::error_code error;
  if (flags.restart) fs::remove_all(checkpoints, error);
  if (error) return Fail(FileError(error.value(), checkpoints.string(), "cannot be removed"));
  if (absl::Status status = MakeFolders(checkpoints.string()); !status.ok()) return Fail(status);

  const ProgressObserver observer = TerminalProgress();
  TrainingReport report;
  report.name = flags.name;
  report.version = flags.version;
  report.weights_file = absl::StrCat("weights.", flags.format);
  report.class_labels = training->class_labels;
  report.data = flags.data.where;
  report.content_size = all.content_size;
  report.training_size = data.training.size();
  report.validation_size = data.validation.size();
  RunOptions& options = report.options;
  options.name = "final";
  options.classes = static_cast<int>(training->class_labels.size());
  options.normalization = *normalization;
  options.epochs = flags.epochs;
  options.batch_size = flags.batch_size;
  options.weight_decay = flags.weight_decay;
  options.patience = flags.patience;
  options.seed = flags.seed;
  options.checkpoint_directory = checkpoints.string();
  options.hyperparameters = {flags.learning_rates.front(), flags.distortions.front()};
  options.averaging = flags.averaging;
  options.distillation = flags.distillation;

  std::optional<Teacher> teacher;
  if (flags.distillation.teacher_epochs > 0) {
    absl::StatusOr<Teacher> trained = TrainTeacher(options, data, observer);
    if (!trained.ok()) return Fail(trained.status());
    teacher = *std::move(trained);
    report.teacher = teacher->report;
  }
  const Trainee* const teaching = teacher ? &teacher->network : nullptr;

  auto tried = Search(flags, options, data, observer, teaching);
  if (!tried.ok()) return Fail(tried.status());
  report.search = *tried;
  double best = -1;
  for (const auto& [hyperparameters, accuracy] : report.search) {
    if (accuracy <= best) continue;
    best = accuracy;
    options.hyperparameters = hyperparameters;
  }

  absl::StatusOr<RunResult> result = Train(options, data, observer, teaching);
  if (!result.ok()) return Fail(result.status());
  report.final_run = *result;
  Calibrate(data.validation, report);

  // The test set is used only here and only once, so that no choice above depends on it.
  const std::size_t notes = training->notes.size();
  const absl::StatusOr<std::optional<Dataset>> test = LoadTestData(flags.data, *training);
  if (!test.ok()) return Fail(test.status());
  for (std::size_t i = notes; i < training->notes.size(); ++i) PrintNote(training->notes[i]);
  if (test->has_value()) {
    report.test_log_probabilities = LogProbabilities(AsTrainee(report.final_run.network),
                                                     (*test)->images, options.normalization);
    report.test_labels = (*test)->labels;
  }
  report.data_files = training->files;

  absl::StatusOr<Weights> weights = GetWeights(report.final_run.network);
  if (!weights.ok()) return Fail(weights.status());
  const std::string path = (fs::path(flags.output) / report.weights_file).string();
  if (absl::Status status = SaveWeightFile(*weights, path); !status.ok()) return Fail(status);
  if (absl::Status status = WriteModelCard(report, flags.output); !status.ok()) return Fail(status);
  std::printf("best epoch %d: validation %.2f%%, %s\nwrote %s and %s\n",
              report.final_run.best_epoch, report.final_run.best_validation_accuracy * 100,
              TestResult(report).c_str(), path.c_str(),
              (fs::path(flags.output) / "model_card.json").c_str());
  return 0;
}

void AddDataOptions(CLI::App& app, TrainingDataOptions& data) {
  app.add_option("--data", data.where,
                 "Folder with IDX files of the MNIST family, or the name of one of several sets in "
                 "it, as data/emnist-digits; folder with a folder of pictures for each class; or "
                 "NumPy's arrays, as a .npz file or a folder of .npy files")
      ->required();
  CLI::Option* const labels =
      app.add_option("--labels,--class-labels", data.class_labels,
                     "Labels of the classes, by index; by default those that the data names, or 0 "
                     "to its greatest label")
          ->delimiter(',')
          ->expected(kMinClasses, kMaxClasses)
          ->default_str("those of the data");
  app.add_option("--labels-file", data.labels_file, "File with one label on each line")
      ->excludes(labels);
  app.add_option(
         "--first-label", data.load.first_label,
         "Label of class 0 in IDX files and arrays, as 1 in EMNIST's letters; 0 by default, "
         "or what EMNIST's mapping file says")
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--normalization", data.normalization,
                 "Mean and standard deviation of grey levels, as shares of white; by default those "
                 "of the images for training")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(0.0, 1.0))
      ->default_str("those of the data");
  app.add_option_function<std::string>(
         "--fit",
         [&data](const std::string& fit) {
           data.load.fit = fit == "mnist" ? client::Fit::kMnist : client::Fit::kAsIs;
         },
         "How pictures become images; by default those of 28x28 and 32x32 in grey are taken as "
         "they are, and others are prepared as by mnist; as-is scales whole pictures")
      ->check(CLI::IsMember({"mnist", "as-is"}));
  app.add_flag("--invert", data.load.mending.invert,
               "Exchange black and white first, for dark digits on a light background");
  app.add_flag("--transpose", data.load.mending.transpose,
               "Exchange rows and columns first, as the files of EMNIST need it");
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
  hellocnn::OpenStandardDescriptors();
  hellocnn::ExitWhenOutOfMemory("hellocnn-train",
                                "raise the limit of memory, or lower --batch-size");
  CLI::App app{"Trains HelloCNN on labelled images and writes weights and a model card."};
  hellocnn::Flags flags;
  app.footer(hellocnn::kExamples);
  app.set_version_flag("--version", hellocnn::kVersion);
  app.option_defaults()->always_capture_default();
  hellocnn::AddDataOptions(app, flags.data);
  app.add_option("--output", flags.output,
                 "Folder for the weights, model_card.json and training/, the checkpoints")
      ->required();
  app.add_option("--name", flags.name, "Name of the model in its card");
  app.add_option("--version-label", flags.version, "Version of the model in its card");
  app.add_option("--format", flags.format,
                 "Of the weights: pt, a state_dict as torch.save writes it, or safetensors")
      ->check(CLI::IsMember({"pt", "safetensors"}));
  app.add_option("--seed", flags.seed,
                 "Decides the split, the initial weights, the order and the distortions");
  app.add_option("--validation-size", flags.validation_size, "Examples put aside for validation")
      ->check(CLI::Range(1, 1'000'000))
      ->default_str("a tenth, at most 5000");
  app.add_option("--epochs", flags.epochs, "Epochs of the final run, at most")
      ->check(CLI::Range(1, 100000));
  app.add_option("--search-epochs", flags.search_epochs,
                 "Epochs of each trial; 0 takes the first rate and distortion untried")
      ->check(CLI::Range(0, 100000));
  app.add_option("--learning-rates", flags.learning_rates, "Peak learning rates to try")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--distortions", flags.distortions,
                 "Strengths of random distortion to try, 0 to 1")
      ->delimiter(',')
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--batch-size", flags.batch_size, "Images a step")->check(CLI::Range(2, 10000));
  app.add_option("--patience", flags.patience,
                 "Epochs without a better validation accuracy before a run stops")
      ->check(CLI::Range(1, 100000));
  app.add_option("--weight-decay", flags.weight_decay, "AdamW's weight decay")
      ->check(CLI::Range(0.0, 1.0));
  hellocnn::AddDistillationOptions(app, flags);
  app.add_flag("--restart", flags.restart,
               "Forget the checkpoints of an earlier, interrupted training");
  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  if (!flags.data.normalization.empty() &&
      flags.data.normalization[1] < std::numeric_limits<float>::min()) {
    std::cerr
        << "hellocnn-train: --normalization has a standard deviation of almost 0; wanted more\n";
    return 2;
  }
  try {  // LibTorch throws, when memory ends for example
    return hellocnn::Main(flags);
  } catch (const std::exception& error) {
    return hellocnn::Fail(absl::InternalError(error.what()));
  }
}
