// Writes the model card of a training: what was done, on what, and how well it went.
#ifndef HELLOCNN_TRAIN_TRAINING_REPORT_H_
#define HELLOCNN_TRAIN_TRAINING_REPORT_H_

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
  std::vector<std::string> class_labels;  // as many as the network has classes
  std::string data_directory;
  std::int64_t training_size = 0;
  std::int64_t validation_size = 0;
  RunOptions options;                                      // of the final run
  std::vector<std::pair<Hyperparameters, double>> search;  // tried, with their validation accuracy
  RunResult final_run;
  torch::Tensor test_classes;  // what the network says of the test set, int64 [N]
  torch::Tensor test_labels;   // what is right, int64 [N]
};

// Writes `directory`/model_card.json, readable by LoadModelCard. Blocks: checksums the data files.
// Errors as ReadFileStart and ReplaceFile.
absl::Status WriteModelCard(const TrainingReport& report, const std::string& directory);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINING_REPORT_H_
