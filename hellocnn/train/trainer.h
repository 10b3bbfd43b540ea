// Trains HelloCNN with AdamW. The learning rate has a warm-up and then follows a cosine. The epoch
// with the best validation accuracy wins.
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

// The hyperparameters that are chosen by their validation accuracy.
struct Hyperparameters {
  double learning_rate = 3e-3;  // the peak, which is reached after the first tenth of the steps
  double distortion = 0;        // 0 to 1, the strength for Distort
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

// Callbacks for the progress of a run. They are called on the caller's thread.
struct ProgressObserver {
  std::function<void(const RunOptions&, int epoch, double epoch_done)>
      on_step;  // epoch_done: 0 to 1
  std::function<void(const RunOptions&, const EpochReport&, absl::Duration left)> on_epoch;
};

struct RunResult {
  HelloCnn network{nullptr};  // the network of the best epoch
  int best_epoch = 0;
  double best_validation_accuracy = 0;
  std::vector<EpochReport> epochs;
};

// Trains until the run ends and returns the best epoch. Blocks until then.
//
// The state of the run is saved after each epoch. If there is a saved state, the run continues from
// it. It then ends with the same weights as an uninterrupted run on the same machine with the same
// LibTorch. LibTorch's default random generator is reseeded from `seed` for each epoch, so results
// do not depend on anything that ran before.
//
// FAILED_PRECONDITION: the checkpoint was made with other options. INTERNAL: LibTorch failed.
absl::StatusOr<RunResult> Train(const RunOptions& options, const Split& data,
                                const ProgressObserver& observer);

// Returns the class index that the network predicts for each image, int64 [N].
torch::Tensor Classify(HelloCnn& network, const Dataset& data, const Normalization& normalization);

// Returns the share of `data` that the network classifies correctly, 0 to 1.
double Accuracy(HelloCnn& network, const Dataset& data, const Normalization& normalization);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINER_H_
