#include "hellocnn/train/training_report.h"

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/model_card.h"
#include "hellocnn/train/calibration.h"
#include "hellocnn/train/trainee.h"

namespace hellocnn {
namespace {

using Json = nlohmann::ordered_json;

// Returns the data's name and the checksums of its files. Files of one name have their paths.
absl::StatusOr<Json> DescribeData(const TrainingReport& report) {
  namespace fs = std::filesystem;
  const fs::path where = fs::path(report.data).lexically_normal();
  const fs::path named = where.has_filename() ? where : where.parent_path();
  Json data = {{"name", named.filename().string()}};
  for (const std::string& path : report.data_files) {
    const absl::StatusOr<std::string> sum = Sha256OfFile(path);
    if (!sum.ok()) return sum.status();
    Json& sums = data["sha256"];
    const std::string name = fs::path(path).filename().string();
    sums[sums.contains(name) ? path : name] = *sum;
  }
  return data;
}

// Returns a number of few digits as it is written, which its float32 is not.
double FewDigits(float number) { return std::stod(absl::StrCat(number)); }

Json DescribePreprocessing(const TrainingReport& report) {
  const Normalization& normalization = report.options.normalization;
  return {{"content_size", report.content_size},
          {"padding", (kImageSide - report.content_size) / 2},
          {"mean", FewDigits(normalization.mean)},
          {"standard_deviation", FewDigits(normalization.standard_deviation)}};
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

// Adds what the test set has shown.
void AddTest(const TrainingReport& report, Json& card) {
  const torch::Tensor classes = report.test_log_probabilities.argmax(1);
  const auto right = classes.eq(report.test_labels).sum().item<std::int64_t>();
  const std::int64_t total = report.test_labels.size(0);
  card["test_accuracy"] = static_cast<double>(right) / static_cast<double>(total);
  card["test_correct"] = right;
  card["test_size"] = total;
  card["confusion_matrix"] =
      ConfusionMatrix(report.class_labels.size(), report.test_labels, classes);
}

Json ToJson(const Hyperparameters& chosen) {
  return {{"learning_rate", chosen.learning_rate}, {"distortion", chosen.distortion}};
}

Json Distillation(const RunOptions& options, const RunReport& teacher) {
  return {{"teacher_epochs", options.distillation.teacher_epochs},
          {"teacher_validation_accuracy", teacher.best_validation_accuracy},
          {"temperature", options.distillation.temperature},
          {"copies", options.distillation.copies}};
}

Json Calibration(const TrainingReport& report) {
  Json calibration = {
      {"bins", kCalibrationBins},
      {"validation_expected_calibration_error", report.validation_calibration_error},
      {"validation_expected_calibration_error_before", report.validation_calibration_error_before},
      {"temperature", report.temperature}};
  if (report.test_labels.defined()) {
    calibration["expected_calibration_error"] =
        CalibrationError(report.test_log_probabilities, report.test_labels);
  }
  return calibration;
}

}  // namespace

void Calibrate(const Dataset& validation, TrainingReport& report) {
  const Normalization& normalization = report.options.normalization;
  HelloCnn& network = report.final_run.network;
  const torch::Tensor before =
      LogProbabilities(AsTrainee(network), validation.images, normalization);
  report.validation_calibration_error_before = CalibrationError(before, validation.labels);
  report.temperature = FitTemperature(before, validation.labels);
  DivideLogits(network, report.temperature);
  report.validation_calibration_error = CalibrationError(
      LogProbabilities(AsTrainee(network), validation.images, normalization), validation.labels);
}

absl::Status WriteModelCard(const TrainingReport& report, const std::string& directory) {
  const absl::StatusOr<Json> data = DescribeData(report);
  if (!data.ok()) return data.status();
  const absl::StatusOr<std::string> weights_sha256 =
      Sha256OfFile(absl::StrCat(directory, "/", report.weights_file));
  if (!weights_sha256.ok()) return weights_sha256.status();
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
  Json card = {
      {"name", report.name},
      {"version", report.version},
      {"weights", report.weights_file},
      {kWeightsSha256, *weights_sha256},
      {"class_labels", report.class_labels},
      {"preprocessing", DescribePreprocessing(report)},
  };
  if (report.test_labels.defined()) AddTest(report, card);
  card["validation_accuracy"] = report.final_run.best_validation_accuracy;
  card["calibration"] = Calibration(report);
  card["data"] = *data;
  card["training"] = {
      {"seed", options.seed},
      {"split", {{"training", report.training_size}, {"validation", report.validation_size}}},
      {"optimizer", "AdamW"},
      {"weight_decay", options.weight_decay},
      {"schedule", "linear warm-up over 10% of the steps, then cosine to 0"},
      {"batch_size", options.batch_size},
      {"averaging", options.averaging},
      {"distillation", report.teacher ? Distillation(options, *report.teacher) : Json(nullptr)},
      {"epochs", options.epochs},
      {"patience", options.patience},
      {"chosen", ToJson(options.hyperparameters)},
      {"search", search},
      {"best_epoch", report.final_run.best_epoch},
      {"epochs_loss_and_validation_accuracy", epochs},
      {"libtorch", TORCH_VERSION}};
  // Names may be no text.
  return ReplaceFile(absl::StrCat(directory, "/model_card.json"),
                     card.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace hellocnn
