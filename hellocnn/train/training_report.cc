#include "hellocnn/train/training_report.h"

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/data/dataset_files.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/model_card.h"

namespace hellocnn {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<Json> Checksums(const std::string& data) {
  Json sums;
  for (const std::string part : {"train", "t10k"}) {
    const absl::StatusOr<DatasetFiles> files = FindDatasetFiles(data, part);
    if (!files.ok()) return files.status();
    for (const std::string& path : {files->images, files->labels}) {
      const absl::StatusOr<std::string> sum = Sha256OfFile(path);
      if (!sum.ok()) return sum.status();
      sums[std::filesystem::path(path).filename().string()] = *sum;
    }
  }
  return sums;
}

// confusion[label][class]
Json ConfusionMatrix(std::size_t size, const torch::Tensor& labels, const torch::Tensor& classes) {
  std::vector<std::vector<int>> counts(size, std::vector<int>(size));
  const auto label = labels.accessor<std::int64_t, 1>();
  const auto chosen = classes.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    ++counts.at(static_cast<std::size_t>(label[i])).at(static_cast<std::size_t>(chosen[i]));
  }
  return counts;
}

Json ToJson(const Hyperparameters& chosen) {
  return {{"learning_rate", chosen.learning_rate}, {"distortion", chosen.distortion}};
}

}  // namespace

absl::Status WriteModelCard(const TrainingReport& report, const std::string& directory) {
  absl::StatusOr<Json> checksums = Checksums(report.data_directory);
  if (!checksums.ok()) return checksums.status();
  const absl::StatusOr<std::string> weights_sha256 =
      Sha256OfFile(absl::StrCat(directory, "/", report.weights_file));
  if (!weights_sha256.ok()) return weights_sha256.status();
  const auto right = report.test_classes.eq(report.test_labels).sum().item<std::int64_t>();
  const std::int64_t total = report.test_labels.size(0);
  Json search = Json::array();
  for (const auto& [tried, accuracy] : report.search) {
    Json entry = ToJson(tried);
    entry["validation_accuracy"] = accuracy;
    search.push_back(entry);
  }
  Json epochs = Json::array();
  for (const EpochReport& epoch : report.final_run.epochs) {
    epochs.push_back({epoch.training_loss, epoch.validation_accuracy});
  }
  const RunOptions& options = report.options;
  const Json card = {
      {"name", report.name},
      {"version", report.version},
      {"weights", report.weights_file},
      {kWeightsSha256, *weights_sha256},
      {"class_labels", report.class_labels},
      {"preprocessing",
       {{"content_size", 28}, {"padding", 2}, {"mean", 0.1307}, {"standard_deviation", 0.3081}}},
      {"test_accuracy", static_cast<double>(right) / static_cast<double>(total)},
      {"test_correct", right},
      {"test_size", total},
      {"validation_accuracy", report.final_run.best_validation_accuracy},
      {"confusion_matrix",
       ConfusionMatrix(report.class_labels.size(), report.test_labels, report.test_classes)},
      {"data", {{"name", "MNIST"}, {"sha256", *checksums}}},
      {"training",
       {{"seed", options.seed},
        {"split", {{"training", report.training_size}, {"validation", report.validation_size}}},
        {"optimizer", "AdamW"},
        {"weight_decay", options.weight_decay},
        {"schedule", "linear warm-up over 10% of the steps, then cosine to 0"},
        {"batch_size", options.batch_size},
        {"epochs", options.epochs},
        {"patience", options.patience},
        {"chosen", ToJson(options.hyperparameters)},
        {"search", search},
        {"best_epoch", report.final_run.best_epoch},
        {"epochs_loss_and_validation_accuracy", epochs},
        {"libtorch", TORCH_VERSION}}},
  };
  return ReplaceFile(absl::StrCat(directory, "/model_card.json"), card.dump(2) + "\n");
}

}  // namespace hellocnn
