#include "hellocnn/train/trainer.h"

#include <cmath>
#include <cstddef>
#include <exception>
#include <numbers>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"

namespace hellocnn {
namespace {

// Far above what the state of the largest network takes, some 3 MB.
constexpr std::size_t kMaxCheckpointBytes = std::size_t{1} << 25;
constexpr double kWarmUp = 0.1;  // the share of the steps

double LearningRate(double peak, std::int64_t step, std::int64_t steps) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  if (done < kWarmUp) return peak * done / kWarmUp;
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * (done - kWarmUp) / (1 - kWarmUp)));
}

// Returns a string of everything that determines the result of a run, except for the contents of
// the data.
std::string Fingerprint(const RunOptions& o, const Split& data) {
  return absl::StrCat("lr=", o.hyperparameters.learning_rate,
                      " distortion=", o.hyperparameters.distortion, " epochs=", o.epochs,
                      " batch=", o.batch_size, " decay=", o.weight_decay, " patience=", o.patience,
                      " seed=", o.seed, " classes=", o.classes, " mean=", o.normalization.mean,
                      " deviation=", o.normalization.standard_deviation,
                      " training=", data.training.size(), " validation=", data.validation.size());
}

class Run {
 public:
  Run(const RunOptions& options, const Split& data, const ProgressObserver& observer)
      : options_(options),
        data_(data),
        observer_(observer),
        fingerprint_(Fingerprint(options, data)),
        path_(absl::StrCat(options.checkpoint_directory, "/", options.name, ".checkpoint")) {
    torch::manual_seed(options.seed);
    network_ = HelloCnn(options.classes);
    best_ = HelloCnn(options.classes);
    optimizer_ = std::make_unique<torch::optim::AdamW>(
        network_->parameters(), torch::optim::AdamWOptions(options.hyperparameters.learning_rate)
                                    .weight_decay(options.weight_decay));
  }

  absl::StatusOr<RunResult> Finish() {
    if (absl::Status status = Restore(); !status.ok()) return status;
    const absl::Time start = absl::Now();
    int trained = 0;
    while (!Done()) {
      const EpochReport report = TrainEpoch(static_cast<int>(epochs_.size()) + 1);
      epochs_.push_back(report);
      if (report.validation_accuracy > best_accuracy_) {
        best_accuracy_ = report.validation_accuracy;
        best_epoch_ = report.epoch;
        CopyParameters(network_, best_);
      }
      if (absl::Status status = Save(); !status.ok()) return status;
      ++trained;
      const int left = Done() ? 0 : options_.epochs - report.epoch;
      observer_.on_epoch(options_, report, (absl::Now() - start) / trained * left);
    }
    return RunResult{best_, best_epoch_, best_accuracy_, epochs_};
  }

 private:
  bool Done() const {
    const int epoch = static_cast<int>(epochs_.size());
    return epoch >= options_.epochs || (epoch > 0 && epoch - best_epoch_ >= options_.patience);
  }

  EpochReport TrainEpoch(int epoch) {
    torch::manual_seed(options_.seed + 1000 * static_cast<std::uint64_t>(epoch));
    network_->train();
    const Dataset& training = data_.training;
    const torch::Tensor order = torch::randperm(training.size());
    const std::int64_t steps = training.size() / options_.batch_size;
    double loss_sum = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const double rate = LearningRate(options_.hyperparameters.learning_rate,
                                       (epoch - 1) * steps + step, options_.epochs * steps);
      for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
      const torch::Tensor chosen = order.narrow(0, step * options_.batch_size, options_.batch_size);
      const torch::Tensor images = NormalizeBatch(
          Distort(training.images.index_select(0, chosen), options_.hyperparameters.distortion),
          options_.normalization);
      const torch::Tensor loss =
          torch::nll_loss(network_->forward(images), training.labels.index_select(0, chosen));
      optimizer_->zero_grad();
      loss.backward();
      optimizer_->step();
      loss_sum += loss.item<double>();
      observer_.on_step(options_, epoch,
                        static_cast<double>(step + 1) / static_cast<double>(steps));
    }
    return {epoch, loss_sum / static_cast<double>(steps),
            Accuracy(network_, data_.validation, options_.normalization)};
  }

  static void CopyParameters(const HelloCnn& from, HelloCnn& to) {
    const torch::NoGradGuard no_grad;
    auto source = from->parameters();
    auto target = to->parameters();
    for (std::size_t i = 0; i < source.size(); ++i) target[i].copy_(source[i]);
  }

  absl::Status Save() const {
    torch::serialize::OutputArchive archive;
    archive.write("fingerprint", c10::IValue(fingerprint_));
    std::vector<double> history;
    for (const EpochReport& report : epochs_) {
      history.push_back(report.training_loss);
      history.push_back(report.validation_accuracy);
    }
    archive.write("history", torch::tensor(history, torch::kFloat64));
    archive.write("best_epoch", c10::IValue(static_cast<std::int64_t>(best_epoch_)));
    const auto nested = [&](const char* name, const auto& part) {
      torch::serialize::OutputArchive inner;
      part.save(inner);
      archive.write(name, inner);
    };
    nested("network", *network_);
    nested("best", *best_);
    nested("optimizer", *optimizer_);
    std::ostringstream bytes;
    archive.save_to(bytes);
    // An interruption while writing leaves the previous state intact.
    return ReplaceFile(path_, bytes.str());
  }

  absl::Status Restore() {
    const absl::StatusOr<std::string> bytes = ReadFileStart(path_, kMaxCheckpointBytes);
    if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
    if (!bytes.ok()) return bytes.status();
    try {
      return RestoreFrom(*bytes);
    } catch (const std::exception& error) {
      // LibTorch appends where in its code it was.
      const std::string_view what = error.what();
      return absl::InvalidArgumentError(absl::StrCat(
          path_, ": is no checkpoint, or a damaged one (",
          std::string(what.substr(0, what.find('\n'))),
          "); wanted one that hellocnn-train wrote; use another --output, or --restart"));
    }
  }

  // Throws what LibTorch throws.
  absl::Status RestoreFrom(const std::string& bytes) {
    torch::serialize::InputArchive archive;
    archive.load_from(bytes.data(), bytes.size());
    c10::IValue value;
    archive.read("fingerprint", value);
    if (value.toStringRef() != fingerprint_) {
      return absl::FailedPreconditionError(absl::StrCat(
          path_, " was made with other settings: found \"", value.toStringRef(), "\", wanted \"",
          fingerprint_, "\"; use the same settings, another --output, or --restart"));
    }
    torch::Tensor history;
    archive.read("history", history);
    for (std::int64_t i = 0; i + 1 < history.numel(); i += 2) {
      epochs_.push_back(
          {static_cast<int>(i / 2) + 1, history[i].item<double>(), history[i + 1].item<double>()});
    }
    archive.read("best_epoch", value);
    best_epoch_ = static_cast<int>(value.toInt());
    if (best_epoch_ > 0) {
      best_accuracy_ = epochs_.at(static_cast<std::size_t>(best_epoch_) - 1).validation_accuracy;
    }
    const auto nested = [&](const char* name, auto& part) {
      torch::serialize::InputArchive inner;
      archive.read(name, inner);
      part.load(inner);
    };
    nested("network", *network_);
    nested("best", *best_);
    nested("optimizer", *optimizer_);
    return absl::OkStatus();
  }

  const RunOptions& options_;
  const Split& data_;
  const ProgressObserver& observer_;
  const std::string fingerprint_;
  const std::string path_;
  HelloCnn network_{nullptr};
  HelloCnn best_{nullptr};
  std::unique_ptr<torch::optim::AdamW> optimizer_;
  std::vector<EpochReport> epochs_;
  int best_epoch_ = 0;
  double best_accuracy_ = -1;
};

}  // namespace

absl::StatusOr<RunResult> Train(const RunOptions& options, const Split& data,
                                const ProgressObserver& observer) {
  try {
    return Run(options, data, observer).Finish();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("run ", options.name, ": ", std::string(error.what())));
  }
}

torch::Tensor Classify(HelloCnn& network, const Dataset& data, const Normalization& normalization) {
  const torch::NoGradGuard no_grad;
  network->eval();
  std::vector<torch::Tensor> classes;
  for (const torch::Tensor& images : data.images.split(250)) {
    classes.push_back(network->forward(NormalizeBatch(images, normalization)).argmax(1));
  }
  return torch::cat(classes);
}

double Accuracy(HelloCnn& network, const Dataset& data, const Normalization& normalization) {
  const auto right =
      Classify(network, data, normalization).eq(data.labels).sum().item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(data.size());
}

}  // namespace hellocnn
