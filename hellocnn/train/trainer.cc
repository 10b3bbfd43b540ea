#include "hellocnn/train/trainer.h"

#include <zlib.h>

#include <cmath>
#include <exception>
#include <memory>
#include <numbers>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hellocnn/train/averaging.h"
#include "hellocnn/train/distillation.h"
#include "hellocnn/train/normalized_network.h"

namespace hellocnn {
namespace {

constexpr double kWarmUp = 0.1;  // the share of the steps

double LearningRate(double peak, std::int64_t step, std::int64_t steps) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  if (done < kWarmUp) return peak * done / kWarmUp;
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * (done - kWarmUp) / (1 - kWarmUp)));
}

// Returns the CRC-32 of images and their labels, after that of what comes before.
std::uint32_t Checksum(std::uint32_t before, const Dataset& data) {
  for (const torch::Tensor& tensor : {data.images.contiguous(), data.labels.contiguous()}) {
    before = static_cast<std::uint32_t>(
        crc32_z(before, static_cast<const Bytef*>(tensor.data_ptr()), tensor.nbytes()));
  }
  return before;
}

// Returns a string of everything that determines the result of a run.
std::string Fingerprint(const RunOptions& o, const Split& data) {
  std::string settings = absl::StrCat(
      "lr=", o.hyperparameters.learning_rate, " distortion=", o.hyperparameters.distortion,
      " epochs=", o.epochs, " batch=", o.batch_size, " decay=", o.weight_decay,
      " averaging=", o.averaging, " patience=", o.patience, " seed=", o.seed,
      " classes=", o.classes, " mean=", o.normalization.mean,
      " deviation=", o.normalization.standard_deviation, " training=", data.training.size(),
      " validation=", data.validation.size(),
      " data=", Checksum(Checksum(0, data.training), data.validation));
  if (o.distillation.teacher_epochs > 0) {
    absl::StrAppend(&settings, " teacher-epochs=", o.distillation.teacher_epochs,
                    " temperature=", o.distillation.temperature, " copies=", o.distillation.copies);
  }
  return settings;
}

class Run {
 public:
  Run(const RunOptions& options, const Trainee& network, const Split& data,
      const ProgressObserver& observer, const Trainee* teacher)
      : options_(options),
        network_(network),
        data_(data),
        observer_(observer),
        steps_(data.training.size() / options.batch_size),
        fingerprint_(Fingerprint(options, data)),
        path_(absl::StrCat(options.checkpoint_directory, "/", options.name, ".checkpoint")) {
    if (teacher != nullptr) {
      copies_.emplace(*teacher, data.training, options.hyperparameters.distortion,
                      options.distillation.copies, options.seed, options.normalization);
    }
    state_.weights = network.weights();
    state_.average = CopyWeights(state_.weights);
    state_.best = CopyWeights(state_.weights);
    state_.optimizer = std::make_unique<torch::optim::AdamW>(
        network.module->parameters(),
        torch::optim::AdamWOptions(options.hyperparameters.learning_rate)
            .weight_decay(options.weight_decay));
  }

  absl::StatusOr<RunReport> Finish() {
    if (absl::Status status = LoadCheckpoint(path_, fingerprint_, state_); !status.ok()) {
      return status;
    }
    const absl::Time start = absl::Now();
    int trained = 0;
    while (!Done()) {
      const EpochReport report = TrainEpoch(static_cast<int>(state_.epochs.size()) + 1);
      state_.epochs.push_back(report);
      if (report.validation_accuracy > state_.best_accuracy()) {
        state_.best_epoch = report.epoch;
        AssignWeights(state_.average, state_.best);
      }
      if (absl::Status status = SaveCheckpoint(state_, fingerprint_, path_); !status.ok()) {
        return status;
      }
      ++trained;
      const int left = Done() ? 0 : options_.epochs - report.epoch;
      observer_.on_epoch(options_, report, (absl::Now() - start) / trained * left);
    }
    AssignWeights(state_.best, state_.weights);
    return RunReport{state_.best_epoch, state_.best_accuracy(), state_.epochs};
  }

 private:
  bool Done() const {
    const int epoch = static_cast<int>(state_.epochs.size());
    return epoch >= options_.epochs ||
           (epoch > 0 && epoch - state_.best_epoch >= options_.patience);
  }

  EpochReport TrainEpoch(int epoch) {
    const TaughtImages* taught = copies_ ? &copies_->ForEpoch(epoch) : nullptr;
    torch::manual_seed(options_.seed + 1000 * static_cast<std::uint64_t>(epoch));
    network_.module->train();
    const torch::Tensor order = torch::randperm(data_.training.size());
    double loss_sum = 0;
    for (std::int64_t step = 0; step < steps_; ++step) {
      const std::int64_t steps_before = (epoch - 1) * steps_ + step;
      const double rate = LearningRate(options_.hyperparameters.learning_rate, steps_before,
                                       options_.epochs * steps_);
      for (auto& group : state_.optimizer->param_groups()) group.options().set_lr(rate);
      const torch::Tensor loss =
          Loss(order.narrow(0, step * options_.batch_size, options_.batch_size), taught);
      state_.optimizer->zero_grad();
      loss.backward();
      state_.optimizer->step();
      UpdateAverage(state_.weights, options_.averaging, steps_before, state_.average);
      loss_sum += loss.item<double>();
      observer_.on_step(options_, epoch,
                        static_cast<double>(step + 1) / static_cast<double>(steps_));
    }
    return {epoch, loss_sum / static_cast<double>(steps_), ValidationAccuracy()};
  }

  // `chosen` are the indices of the batch.
  torch::Tensor Loss(const torch::Tensor& chosen, const TaughtImages* taught) {
    const torch::Tensor labels = data_.training.labels.index_select(0, chosen);
    const torch::Tensor grey = taught != nullptr
                                   ? taught->images.index_select(0, chosen)
                                   : Distort(data_.training.images.index_select(0, chosen),
                                             options_.hyperparameters.distortion);
    const torch::Tensor given = network_.forward(NormalizeBatch(grey, options_.normalization));
    if (taught == nullptr) return torch::nll_loss(given, labels);
    return DistillationLoss(given, taught->log_probabilities.index_select(0, chosen), labels,
                            options_.distillation.temperature);
  }

  // Returns the accuracy with the averaged weights.
  double ValidationAccuracy() {
    ExchangeWeights(state_.weights, state_.average);
    const double accuracy =
        Accuracy(LogProbabilities(network_, data_.validation.images, options_.normalization),
                 data_.validation.labels);
    ExchangeWeights(state_.weights, state_.average);
    return accuracy;
  }

  const RunOptions& options_;
  const Trainee& network_;
  const Split& data_;
  const ProgressObserver& observer_;
  const std::int64_t steps_;  // of an epoch
  const std::string fingerprint_;
  const std::string path_;
  std::optional<TaughtCopies> copies_;  // none without a teacher
  RunState state_;
};

}  // namespace

absl::StatusOr<RunReport> TrainNetwork(const RunOptions& options, const Trainee& network,
                                       const Split& data, const ProgressObserver& observer,
                                       const Trainee* teacher) {
  try {
    return Run(options, network, data, observer, teacher).Finish();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("run ", options.name, ": ", std::string(error.what())));
  }
}

absl::StatusOr<RunResult> Train(const RunOptions& options, const Split& data,
                                const ProgressObserver& observer, const Trainee* teacher) {
  torch::manual_seed(options.seed);
  RunResult result;
  const NormalizedHelloCnn network(options.classes);
  absl::StatusOr<RunReport> report =
      TrainNetwork(options, AsTrainee(network), data, observer, teacher);
  if (!report.ok()) return report.status();
  result.network = network->Fold();
  static_cast<RunReport&>(result) = *report;
  return result;
}

}  // namespace hellocnn
