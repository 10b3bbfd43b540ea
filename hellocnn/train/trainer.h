// Trains a network with AdamW. The learning rate has a warm-up and then follows a cosine. The epoch
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
#include "hellocnn/train/checkpoint.h"
#include "hellocnn/train/dataset.h"
#include "hellocnn/train/trainee.h"

namespace hellocnn {

// The hyperparameters that are chosen by their validation accuracy.
struct Hyperparameters {
  double learning_rate = 3e-3;  // the peak, which is reached after the first tenth of the steps
  double distortion = 0;        // 0 to 1, the strength for Distort
};

// How a network learns from a teacher.
struct DistillationOptions {
  int teacher_epochs = 0;  // 0: there is no teacher, and the other members do not matter
  double temperature = 3;  // of DistillationLoss, above 0
  int copies = 8;          // of TaughtCopies, at least 1
};

struct RunOptions {
  std::string name;  // names the checkpoint: NAME.checkpoint
  int classes = 0;   // kMinClasses to kMaxClasses
  Hyperparameters hyperparameters;
  int epochs = 1;
  int batch_size = 64;
  double weight_decay = 0.01;
  double averaging = 0;  // 0 to below 1, the decay for UpdateAverage
  int patience = 15;     // epochs without a better validation accuracy before the run stops
  std::uint64_t seed = 1;
  DistillationOptions distillation;
  std::string checkpoint_directory;
  Normalization normalization;
};

// Callbacks for the progress of a run. They are called on the caller's thread.
struct ProgressObserver {
  std::function<void(const RunOptions&, int epoch, double epoch_done)>
      on_step;  // epoch_done: 0 to 1
  std::function<void(const RunOptions&, const EpochReport&, absl::Duration left)> on_epoch;
};

struct RunReport {
  int best_epoch = 0;
  double best_validation_accuracy = 0;
  std::vector<EpochReport> epochs;
};

struct RunResult : RunReport {
  HelloCnn network{nullptr};  // with the weights of the best epoch
};

// Trains `network` until the run ends and leaves the averaged weights of the best epoch in it.
// Blocks until then. The network learns from `teacher`, or from the labels alone if it is null.
//
// The state of the run is saved after each epoch. If there is a saved state, the run continues from
// it. It then ends with the same weights as an uninterrupted run on the same machine with the same
// LibTorch. LibTorch's default random generator is reseeded from `seed` for each epoch, so results
// do not depend on anything that ran before, except for the initial weights.
//
// FAILED_PRECONDITION: the checkpoint was made with other options. INTERNAL: LibTorch failed.
absl::StatusOr<RunReport> TrainNetwork(const RunOptions& options, const Trainee& network,
                                       const Split& data, const ProgressObserver& observer,
                                       const Trainee* teacher);

// Trains a HelloCNN in this way, with initial weights drawn from `seed`. It is normalised while it
// is trained. Requires a batch size of at least 2.
absl::StatusOr<RunResult> Train(const RunOptions& options, const Split& data,
                                const ProgressObserver& observer, const Trainee* teacher);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINER_H_
