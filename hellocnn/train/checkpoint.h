// The state of a training run, and how it survives an interruption.
#ifndef HELLOCNN_TRAIN_CHECKPOINT_H_
#define HELLOCNN_TRAIN_CHECKPOINT_H_

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace hellocnn {

struct EpochReport {
  int epoch;                   // from 1
  double training_loss;        // mean over the epoch
  double validation_accuracy;  // 0 to 1
};

struct RunState {
  std::vector<EpochReport> epochs;  // those that are done
  int best_epoch = 0;               // by validation accuracy; 0 before the first epoch
  // Lists of tensors in the order of Trainee::weights().
  std::vector<torch::Tensor> weights;  // the network's own
  std::vector<torch::Tensor> average;
  std::vector<torch::Tensor> best;  // the average after the best epoch
  std::unique_ptr<torch::optim::AdamW> optimizer;

  // Returns the validation accuracy of the best epoch, or -1 before the first epoch.
  double best_accuracy() const;
};

// Writes the state to `path`. An interruption leaves the previous file intact. `fingerprint` says
// with which settings it was made. Returns the errors of ReplaceFile. Throws what LibTorch throws.
absl::Status SaveCheckpoint(const RunState& state, const std::string& fingerprint,
                            const std::string& path);

// Reads the values from `path` into the tensors and the optimizer of `state`. Leaves `state`
// unchanged if there is no such file.
//
// FAILED_PRECONDITION: the fingerprint is another. INVALID_ARGUMENT: the file is no checkpoint of
// such a network. Also returns the errors of ReadFileStart. After an error, `state` is unspecified.
absl::Status LoadCheckpoint(const std::string& path, const std::string& fingerprint,
                            RunState& state);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_CHECKPOINT_H_
