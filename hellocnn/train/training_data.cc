#include "hellocnn/train/training_data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "datasets/class_labels.h"

namespace hellocnn {
namespace {

LoadOptions LoadOptionsOf(const TrainingDataOptions& options, DataPart part,
                          const std::vector<std::string>& class_labels) {
  LoadOptions load = options.load;
  load.part = part;
  // What is not divided is for training.
  load.take_undivided = part == DataPart::kTraining;
  load.class_labels = class_labels;
  return load;
}

// Returns the labels that are asked for, or none.
absl::StatusOr<std::vector<std::string>> AskedLabels(const TrainingDataOptions& options) {
  if (!options.labels_file.empty()) return ReadClassLabels(options.labels_file);
  if (options.class_labels.empty()) return options.class_labels;
  if (absl::Status status = CheckClassLabels("--labels", options.class_labels); !status.ok()) {
    return status;
  }
  return options.class_labels;
}

// Returns "0", "1" and so on, up to the greatest label of the images. INVALID_ARGUMENT: a class has
// no image, as class 0 if the labels begin at 1.
absl::StatusOr<std::vector<std::string>> CountedLabels(const std::string& where,
                                                       const std::vector<int>& labels) {
  const int greatest = *std::max_element(labels.begin(), labels.end());
  std::vector<bool> has_image(static_cast<std::size_t>(greatest) + 1);
  for (const int label : labels) has_image[static_cast<std::size_t>(label)] = true;
  std::vector<std::string> counted;
  for (const bool has : has_image) {
    if (!has) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ": no image has the label ", counted.size(), ", and the greatest is ", greatest,
          "; wanted images of each: --labels names all classes, and --first-label 1 is for labels "
          "that begin at 1, as EMNIST's letters do"));
    }
    counted.push_back(absl::StrCat(counted.size()));
  }
  if (absl::Status status = CheckClassLabels(where, counted); !status.ok()) return status;
  return counted;
}

std::string SizeOf(const Dataset& set) {
  return absl::StrCat(set.content_size, "x", set.content_size);
}

}  // namespace

absl::StatusOr<TrainingData> LoadTrainingData(const TrainingDataOptions& options) {
  const absl::StatusOr<std::vector<std::string>> asked = AskedLabels(options);
  if (!asked.ok()) return asked.status();
  absl::StatusOr<LoadedImages> loaded =
      LoadLabelledImages(options.where, LoadOptionsOf(options, DataPart::kTraining, *asked));
  if (!loaded.ok()) return loaded.status();
  TrainingData data;
  data.class_labels = std::move(loaded->class_labels);
  if (data.class_labels.empty()) {
    absl::StatusOr<std::vector<std::string>> counted =
        CountedLabels(options.where, loaded->images.labels);
    if (!counted.ok()) return counted.status();
    data.class_labels = *std::move(counted);
  }
  absl::StatusOr<Dataset> all = MakeDataset(options.where, std::move(loaded->images));
  if (!all.ok()) return all.status();
  data.all = *std::move(all);
  data.files = std::move(loaded->files);
  data.notes = std::move(loaded->notes);
  if (loaded->may_be_transposed) {
    data.notes.push_back(absl::StrCat(
        options.where, ": EMNIST's files have rows and columns exchanged; if these are such, ",
        "--transpose puts the images upright"));
  }
  return data;
}

absl::StatusOr<std::optional<Dataset>> LoadTestData(const TrainingDataOptions& options,
                                                    TrainingData& training) {
  absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(
      options.where, LoadOptionsOf(options, DataPart::kTest, training.class_labels));
  if (absl::IsNotFound(loaded.status())) {
    training.notes.push_back(
        absl::StrCat("there is no test set, so the model card will have no test accuracy: ",
                     std::string(loaded.status().message())));
    return std::nullopt;
  }
  if (!loaded.ok()) return loaded.status();
  absl::StatusOr<Dataset> test = MakeDataset(options.where, std::move(loaded->images));
  if (!test.ok()) return test.status();
  if (test->content_size != training.all.content_size) {
    return absl::InvalidArgumentError(absl::StrCat(options.where, ": images for the test are ",
                                                   SizeOf(*test), "; wanted ", SizeOf(training.all),
                                                   " as those for training"));
  }
  for (auto [from, to] :
       {std::pair(&loaded->files, &training.files), std::pair(&loaded->notes, &training.notes)}) {
    for (const std::string& each : *from) {
      if (std::find(to->begin(), to->end(), each) == to->end()) to->push_back(each);
    }
  }
  return *std::move(test);
}

std::int64_t DefaultValidationSize(std::int64_t examples) {
  return std::clamp<std::int64_t>(examples / 10, 1, 5000);
}

absl::StatusOr<Normalization> ChooseNormalization(const TrainingDataOptions& options,
                                                  const Dataset& training) {
  if (!options.normalization.empty()) {
    return Normalization{static_cast<float>(options.normalization[0]),
                         static_cast<float>(options.normalization[1])};
  }
  const torch::Tensor images = training.images.contiguous();
  const auto* const pixels = images.data_ptr<std::uint8_t>();
  const int border = (kImageSide - training.content_size) / 2;
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    const int row = static_cast<int>(i / kImageSide % kImageSide);
    const int column = static_cast<int>(i % kImageSide);
    if (std::min({row, column, kImageSide - 1 - row, kImageSide - 1 - column}) < border) continue;
    sum += pixels[i];
    squares += std::int64_t{pixels[i]} * pixels[i];
  }
  const double count =
      static_cast<double>(training.size()) * training.content_size * training.content_size;
  const double mean = static_cast<double>(sum) / count;
  const double variance = static_cast<double>(squares) / count - mean * mean;
  const auto rounded = [](double level) { return std::round(level / 255 * 1e4) / 1e4; };
  const double deviation = rounded(std::sqrt(std::max(0.0, variance)));
  if (deviation <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(options.where,
                                                   ": all pixels for training have the grey level ",
                                                   mean, "; wanted images that differ"));
  }
  return Normalization{static_cast<float>(rounded(mean)), static_cast<float>(deviation)};
}

}  // namespace hellocnn
