// Trains HelloCNN: AdamW, a warm-up and a cosine, the best epoch by validation accuracy.
#ifndef HELLOCNN_TRAIN_TRAINER_H_
#define HELLOCNN_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/torch/network.h"
#include "hellocnn/train/dataset.h"

namespace hellocnn {

// What the validation set decides on.
struct Hyperparameters {
  double learning_rate = 3e-3;  // at its peak, after the first tenth of the steps
  double distortion = 0;        // 0 to 1, see Distort
};

struct RunOptions {
  std::string name;  // names the checkpoint: NAME.checkpoint
  int classes = 0;   // kMinClasses to kMaxClasses
  Hyperparameters hyperparameters;
  int epochs = 1;
  int batch_size = 64;
  double weight_decay = 0.01;
  int patience = 15;  // epochs without a better validation accuracy before the run stops
  std::uint64_t seed = 1;
  std::string checkpoint_directory;
  Normalization normalization;
};

struct EpochReport {
  int epoch;                   // from 1
  double training_loss;        // mean negative log-likelihood over the epoch
  double validation_accuracy;  // 0 to 1
};

// Told of progress, on the caller's thread.
struct ProgressObserver {
  std::function<void(const RunOptions&, int epoch, double epoch_done)>
      on_step;  // epoch_done: 0 to 1
  std::function<void(const RunOptions&, const EpochReport&, absl::Duration left)> on_epoch;
};

struct RunResult {
  HelloCnn network{nullptr};  // the best epoch's
  int best_epoch = 0;
  double best_validation_accuracy = 0;
  std::vector<EpochReport> epochs;
};

// Runs to the end and returns the best epoch. After each epoch the run's state is saved; where a
// saved state is found, the run goes on from there and ends with the same weights as one that was
// never interrupted (on the same machine and LibTorch). The default generator is reseeded for each
// epoch from `seed`, so results depend on nothing that ran before. FAILED_PRECONDITION: the
// checkpoint was made with other options. INTERNAL: LibTorch failed.
absl::StatusOr<RunResult> Train(const RunOptions& options, const Split& data,
                                const ProgressObserver& observer);

// Class indices that the network gives, int64 [N].
torch::Tensor Classify(HelloCnn& network, const Dataset& data, const Normalization& normalization);

// Share of `data` that it classifies rightly, 0 to 1.
double Accuracy(HelloCnn& network, const Dataset& data, const Normalization& normalization);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINER_H_
