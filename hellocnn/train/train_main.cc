// hellocnn-train: trains a model on MNIST's files and writes its weights and its model card.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/command_line/command_line.h"
#include "base/file.h"
#include "base/out_of_memory.h"
#include "base/shown.h"
#include "base/standard_descriptors.h"
#include "base/version.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"
#include "hellocnn/torch/torch_engine.h"
#include "hellocnn/train/dataset.h"
#include "hellocnn/train/trainer.h"
#include "hellocnn/train/training_report.h"

namespace hellocnn {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  scripts/fetch-mnist.sh data/mnist\n"
    "  hellocnn-train --data data/mnist --output models/mnist/2 --version-label 2\n"
    "  hellocnn-train --data data/mnist --output /tmp/quick --epochs 2 --search-epochs 0\n"
    "  hellocnn-train --data data/mnist --output models/mnist/3 --format safetensors\n"
    "\n"
    "An interrupted training goes on where it was when the same command is given again.\n"
    "Exit codes: 0 fine, 1 failed, 2 wrong usage.";

struct Flags {
  std::string data;
  std::string output;
  std::string name = "mnist";
  std::string version = "1";
  std::vector<std::string> class_labels{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  std::string format = "pt";
  std::uint64_t seed = 1;
  std::int64_t validation_size = 5000;
  int epochs = 40;
  int search_epochs = 2;
  std::vector<double> learning_rates{1e-3, 3e-3};
  std::vector<double> distortions{0, 0.5};
  int batch_size = 64;
  int patience = 15;
  double weight_decay = 0.01;
  Presentation mending;  // what is done to the images first
  bool restart = false;
};

int Fail(const absl::Status& status) {
  std::cerr << "hellocnn-train: " << Printable(std::string(status.message())) << "\n";
  return 1;
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
    const Flags& flags, const RunOptions& base, const Split& data,
    const ProgressObserver& observer) {
  std::vector<std::pair<Hyperparameters, double>> tried;
  if (flags.search_epochs == 0) return tried;
  for (const double rate : flags.learning_rates) {
    for (const double distortion : flags.distortions) {
      RunOptions run = base;
      run.name = absl::StrCat("lr", rate, "-d", distortion);
      run.epochs = flags.search_epochs;
      run.hyperparameters = {rate, distortion};
      absl::StatusOr<RunResult> result = Train(run, data, observer);
      if (!result.ok()) return result.status();
      tried.emplace_back(run.hyperparameters, result->best_validation_accuracy);
    }
  }
  return tried;
}

int Main(const Flags& flags) {
  namespace fs = std::filesystem;
  SetUpLibTorch();  // with one thread, the sums have the same order on every machine
  const int classes = static_cast<int>(flags.class_labels.size());
  absl::StatusOr<Dataset> all = LoadDataset(flags.data, "train", classes, flags.mending);
  if (!all.ok()) return Fail(all.status());
  if (all->looks_inverted) {
    std::cerr << "hellocnn-train: hint: the edges of these images are bright, but the server pads "
                 "images with black; "
              << (flags.mending.invert ? "leave --invert out"
                                       : "--invert exchanges black and white")
              << "\n";
  }
  if (flags.validation_size + flags.batch_size > all->size()) {
    std::cerr << "hellocnn-train: --validation-size " << flags.validation_size
              << " leaves less than "
              << "one batch of " << all->size() << " examples for training\n";
    return 2;
  }
  const Split data = SplitDataset(*all, flags.validation_size, flags.seed);
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
  report.class_labels = flags.class_labels;
  report.data_directory = flags.data;
  report.training_size = data.training.size();
  report.validation_size = data.validation.size();
  RunOptions& options = report.options;
  options.name = "final";
  options.classes = classes;
  options.epochs = flags.epochs;
  options.batch_size = flags.batch_size;
  options.weight_decay = flags.weight_decay;
  options.patience = flags.patience;
  options.seed = flags.seed;
  options.checkpoint_directory = checkpoints.string();
  options.hyperparameters = {flags.learning_rates.front(), flags.distortions.front()};

  auto tried = Search(flags, options, data, observer);
  if (!tried.ok()) return Fail(tried.status());
  report.search = *tried;
  double best = -1;
  for (const auto& [hyperparameters, accuracy] : report.search) {
    if (accuracy <= best) continue;
    best = accuracy;
    options.hyperparameters = hyperparameters;
  }

  absl::StatusOr<RunResult> result = Train(options, data, observer);
  if (!result.ok()) return Fail(result.status());
  report.final_run = *result;

  // The test set is used only here and only once, so that no choice above depends on it.
  absl::StatusOr<Dataset> test = LoadDataset(flags.data, "t10k", classes, flags.mending);
  if (!test.ok()) return Fail(test.status());
  report.test_classes = Classify(report.final_run.network, *test, options.normalization);
  report.test_labels = test->labels;

  absl::StatusOr<Weights> weights = GetWeights(report.final_run.network);
  if (!weights.ok()) return Fail(weights.status());
  const std::string path = (fs::path(flags.output) / report.weights_file).string();
  if (absl::Status status = SaveWeightFile(*weights, path); !status.ok()) return Fail(status);
  if (absl::Status status = WriteModelCard(report, flags.output); !status.ok()) return Fail(status);
  const auto right = report.test_classes.eq(report.test_labels).sum().item<std::int64_t>();
  std::printf("best epoch %d: validation %.2f%%, test %.2f%% (%ld of %ld)\nwrote %s and %s\n",
              report.final_run.best_epoch, report.final_run.best_validation_accuracy * 100,
              100.0 * static_cast<double>(right) / static_cast<double>(test->size()), right,
              test->size(), path.c_str(), (fs::path(flags.output) / "model_card.json").c_str());
  return 0;
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
  hellocnn::OpenStandardDescriptors();
  hellocnn::ExitWhenOutOfMemory("hellocnn-train",
                                "raise the limit of memory, or lower --batch-size");
  CLI::App app{"Trains HelloCNN on MNIST and writes weights and a model card."};
  hellocnn::Flags flags;
  app.footer(hellocnn::kExamples);
  app.set_version_flag("--version", hellocnn::kVersion);
  app.option_defaults()->always_capture_default();
  app.add_option("--data", flags.data,
                 "Folder with the training and test set of MNIST, EMNIST, KMNIST or QMNIST, or the "
                 "name of one of several sets in a folder, as data/emnist-digits")
      ->required();
  app.add_option("--output", flags.output,
                 "Folder for the weights, model_card.json and training/, the checkpoints")
      ->required();
  app.add_option("--name", flags.name, "Name of the model in its card");
  app.add_option("--version-label", flags.version, "Version of the model in its card");
  app.add_option("--class-labels", flags.class_labels,
                 "Labels of the classes, by index; as many as the data has")
      ->delimiter(',')
      ->expected(hellocnn::kMinClasses, hellocnn::kMaxClasses);
  app.add_option("--format", flags.format,
                 "Of the weights: pt, a state_dict as torch.save writes it, or safetensors")
      ->check(CLI::IsMember({"pt", "safetensors"}));
  app.add_option("--seed", flags.seed,
                 "Decides the split, the initial weights, the order and the distortions");
  app.add_option("--validation-size", flags.validation_size, "Examples put aside for validation")
      ->check(CLI::Range(1, 59999));
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
  app.add_option("--batch-size", flags.batch_size, "Images a step")->check(CLI::Range(1, 10000));
  app.add_option("--patience", flags.patience,
                 "Epochs without a better validation accuracy before a run stops")
      ->check(CLI::Range(1, 100000));
  app.add_option("--weight-decay", flags.weight_decay, "AdamW's weight decay")
      ->check(CLI::Range(0.0, 1.0));
  app.add_flag("--invert", flags.mending.invert,
               "Exchange black and white first, for dark digits on a light background");
  app.add_flag("--transpose", flags.mending.transpose,
               "Exchange rows and columns first, as the files of EMNIST need it");
  app.add_flag("--restart", flags.restart,
               "Forget the checkpoints of an earlier, interrupted training");
  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  return hellocnn::Main(flags);
}
