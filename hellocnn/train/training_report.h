// Writes the model card of a training: how the model was trained, on which data, and how accurate
// it is.
#ifndef HELLOCNN_TRAIN_TRAINING_REPORT_H_
#define HELLOCNN_TRAIN_TRAINING_REPORT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/train/trainer.h"

namespace hellocnn {

struct TrainingReport {
  std::string name;
  std::string version;
  std::string weights_file;
  std::vector<std::string> class_labels;  // one for each class of the network
  std::string data;                       // where the data is
  std::vector<std::string> data_files;    // that were read
  int content_size = 28;                  // rows and columns of the images without their border
  std::int64_t training_size = 0;
  std::int64_t validation_size = 0;
  RunOptions options;                                      // of the final run
  std::vector<std::pair<Hyperparameters, double>> search;  // each trial and its validation accuracy
  std::optional<RunReport> teacher;                        // none without distillation
  RunResult final_run;                                     // its network has been calibrated
  double temperature = 1;                                  // by which the logits were divided
  double validation_calibration_error_before = 0;          // without that division
  double validation_calibration_error = 0;
  // Undefined if there is no test set.
  torch::Tensor test_log_probabilities;  // the network's, float32 [N, classes]
  torch::Tensor test_labels;             // the correct classes, int64 [N]
};

// Divides the logits of `report.final_run.network` by the temperature that fits the validation
// split best, and writes what that changed into `report`. No prediction changes.
void Calibrate(const Dataset& validation, TrainingReport& report);

// Writes `directory`/model_card.json, which LoadModelCard can read. The weights must be in
// `directory` already. Blocks on the disk and computes checksums of the weights and the data files.
// Returns the errors of ReadFileStart and ReplaceFile.
absl::Status WriteModelCard(const TrainingReport& report, const std::string& directory);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINING_REPORT_H_
