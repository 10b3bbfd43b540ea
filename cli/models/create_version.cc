#include "cli/models/create_version.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "base/version_number.h"
#include "cli/models/offline_engine.h"
#include "cli/models/offline_model.h"
#include "cli/progress.h"
#include "hellocnn/formats/weight_file.h"

namespace hellocnn::cli {
namespace {

constexpr std::size_t kUsualGoldenImages = 16;

// Images with their labels, and what the network sees of them.
struct Seen {
  LoadedImages data;
  std::vector<std::uint8_t> grey;  // [count, 32, 32]
};

// Sets the name and the version: those that were asked for, or else those of models/NAME/VERSION.
absl::Status SetIdentity(const CreateRequest& request, ModelCard& card) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(request.output, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "models/mnist/1/"
  const std::string last = path.filename().string();
  const bool numbered = IsVersionNumber(last);
  card.name = !request.name.empty() ? request.name
              : numbered            ? path.parent_path().filename().string()
                                    : last;
  card.version = !request.version.empty() || !numbered ? request.version : last;
  for (const std::string& text : {card.name, card.version}) {
    if (Printable(text) == text) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(request.output, ": the name and the version are ", Shown(card.name), " and ",
                     Shown(card.version), "; wanted printable UTF-8"));
  }
  if (!card.name.empty() && !card.version.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      request.output, ": does not say the name and the version; wanted a folder such as ",
      "models/mnist/1, or --name and --version-label"));
}

// Sets the labels, or the numbers of the classes if there are none.
absl::Status SetLabels(const CreateRequest& request, const std::vector<std::string>& labels,
                       int classes, ModelCard& card) {
  card.class_labels = labels;
  for (int c = 0; labels.empty() && c < classes; ++c) {
    card.class_labels.push_back(absl::StrCat(c));
  }
  if (std::ssize(card.class_labels) == classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(request.weights, ": has ", classes, " classes, and there are ",
                   card.class_labels.size(), " labels; wanted one label for each class"));
}

// Reads the data, if there are some, and sets the normalization, and the labels if only the data
// name the classes.
absl::StatusOr<std::optional<Seen>> SeeData(const CreateRequest& request, int classes,
                                            ModelCard& card) {
  if (request.mean.has_value()) card.normalization.mean = *request.mean;
  if (request.standard_deviation.has_value()) {
    card.normalization.standard_deviation = *request.standard_deviation;
  }
  if (request.data.where.empty()) return std::nullopt;
  absl::StatusOr<LoadedImages> data = LoadLabelledData(request.data, request.class_labels, classes);
  if (!data.ok()) return data.status();
  const std::vector<std::string>& named = data->class_labels;
  if (request.class_labels.empty() && !std::is_sorted(named.begin(), named.end())) {
    data->notes.push_back(
        absl::StrCat("the labels are in the order of ", request.data.where, ", from ",
                     Shown(named.front()), " to ", Shown(named.back()),
                     "; other programs sort names of folders byte by byte, and for "
                     "weights that were trained so, give --labels in that order"));
  }
  if (!data->class_labels.empty()) {
    absl::Status set = SetLabels(request, data->class_labels, classes, card);
    if (!set.ok()) return set;
  }
  absl::StatusOr<std::vector<std::uint8_t>> grey = FitToCard(data->images, card);
  if (!grey.ok()) return grey.status();
  if (request.measure_normalization) {
    const absl::StatusOr<Normalization> measured = MeasureNormalization(*grey, card.padding);
    if (!measured.ok()) return measured.status();
    card.normalization = *measured;
  }
  return Seen{*std::move(data), *std::move(grey)};
}

absl::Status CheckNotDegenerate(const CreateRequest& request, const ModelCard& card,
                                const OfflineEngines& engines, std::vector<std::string>* notes) {
  if (!engines.only_class.has_value()) return absl::OkStatus();
  const std::string& label = card.class_labels[static_cast<std::size_t>(*engines.only_class)];
  if (!request.allow_degenerate) {
    return DegenerateModel(request.weights, label,
                           "--allow-degenerate-model makes a version of them nevertheless");
  }
  notes->push_back(absl::StrCat("every image of the verification gets the class ", Shown(label),
                                ", so a server needs --allow-degenerate-model=on"));
  return absl::OkStatus();
}

Accuracy CountRight(const LoadedImages& data, const std::vector<int>& classes, std::size_t count) {
  Accuracy accuracy{.images = data.images.count(),
                    .confusion = ConfusionMatrix(count, std::vector<std::int64_t>(count)),
                    .files = data.files};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const int label = data.images.labels[i];
    accuracy.correct += classes[i] == label ? 1 : 0;
    ++accuracy.confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(classes[i])];
  }
  return accuracy;
}

// Chooses images of the data, or draws some if there are no data of which one is right.
absl::StatusOr<GoldenChoice> ChooseGolden(const OfflineEngines& engines,
                                          const std::optional<Seen>& seen,
                                          const std::vector<int>& classes, std::size_t count) {
  if (count == 0) return GoldenChoice();
  if (seen.has_value()) {
    absl::StatusOr<GoldenChoice> chosen =
        ChooseGoldenImages(engines, {seen->grey, seen->data.images.labels, classes}, count);
    if (!chosen.ok() || !chosen->log_probabilities.empty()) return chosen;
  }
  return DrawnGoldenImages(engines, count);
}

}  // namespace

absl::StatusOr<CreatedVersion> CreateVersion(const CreateRequest& request) {
  if (absl::Status is_new = CheckIsNew(request.output); !is_new.ok()) return is_new;
  CreatedVersion created;
  NewVersion version;
  ModelCard& card = version.card;
  card.weights = "weights" + request.weights_ending;
  card.content_size = request.content_size;
  card.padding = (kImageSide - request.content_size) / 2;
  if (absl::Status set = SetIdentity(request, card); !set.ok()) return set;
  const absl::StatusOr<Weights> weights = LoadWeightFile(request.weights, &created.notes);
  if (!weights.ok()) return weights.status();
  if (absl::Status set = SetLabels(request, request.class_labels, weights->classes(), card);
      !set.ok()) {
    return set;
  }
  const absl::StatusOr<std::optional<Seen>> seen = SeeData(request, weights->classes(), card);
  if (!seen.ok()) return seen.status();
  if (seen->has_value()) {
    const std::vector<std::string>& notes = (*seen)->data.notes;
    created.notes.insert(created.notes.end(), notes.begin(), notes.end());
  }
  const absl::StatusOr<OfflineEngines> engines = VerifyEngines(*weights, card.normalization);
  if (!engines.ok()) {
    return absl::Status(engines.status().code(),
                        absl::StrCat(request.weights, ": ", engines.status().message()));
  }
  const absl::Status notices = CheckNotDegenerate(request, card, *engines, &created.notes);
  if (!notices.ok()) return notices;

  std::vector<int> classes;
  if (seen->has_value()) {
    ProgressBar bar((*seen)->data.images.count());
    absl::StatusOr<std::vector<int>> said = ClassifyAll(*engines, (*seen)->grey, bar.AsProgress());
    if (!said.ok()) return said.status();
    classes = *std::move(said);
    created.accuracy = CountRight((*seen)->data, classes, card.class_labels.size());
    // Data without parts may be what the model was trained on.
    created.is_of_test_set = request.data.load.part == DataPart::kTest &&
                             (request.data.part_is_given || !(*seen)->data.is_undivided);
    if (created.is_of_test_set) version.test = created.accuracy;
  }
  const std::size_t golden_images =
      request.golden_images.value_or(std::min(card.class_labels.size(), kUsualGoldenImages));
  absl::StatusOr<GoldenChoice> golden = ChooseGolden(*engines, *seen, classes, golden_images);
  if (!golden.ok()) return golden.status();
  version.golden = *std::move(golden);
  absl::StatusOr<ModelCard> written = WriteNewVersion(version, *weights, request.output);
  if (!written.ok()) return written.status();
  created.card = *std::move(written);
  return created;
}

}  // namespace hellocnn::cli
