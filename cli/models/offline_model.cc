#include "cli/models/offline_model.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/golden_images.h"

namespace hellocnn::cli {
namespace {

// Returns the status, with the folder before its message.
absl::Status InFolder(const VersionFolder& folder, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(folder.path, ": ", status.message()));
}

// Reads the card, or makes one for weights that have none, and compares it with the weights.
absl::StatusOr<ModelCard> CompareCard(const VersionFolder& folder, absl::StatusOr<ModelCard> card,
                                      const std::string& weight_path, const Weights& weights,
                                      std::vector<std::string>* notes) {
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(weight_path);
  if (!sha256.ok()) return sha256.status();
  if (folder.is_weight_file) {
    card = CardWithDefaults(weight_path, weights.classes(), *sha256);
    notes->push_back(absl::StrCat("there is no model card, so the labels are 0 to ",
                                  weights.classes() - 1, " and the preprocessing is MNIST's"));
  }
  if (card->name != folder.model || card->version != folder.version) {
    notes->push_back(absl::StrCat("the card says model ", Shown(card->name), ", version ",
                                  Shown(card->version), "; a server takes what the folders say"));
    card->name = folder.model;
    card->version = folder.version;
  }
  if (std::string difference = CompareWithWeights(*sha256, *card); !difference.empty()) {
    if (folder.must_match_card) {
      return InFolder(folder, absl::FailedPreconditionError(difference));
    }
    notes->push_back(std::move(difference));
  }
  if (absl::Status fits = CheckLabelsFit(*card, weights); !fits.ok()) {
    return InFolder(folder, fits);
  }
  return card;
}

absl::Status CheckAllGoldenImages(const VersionFolder& folder, const ModelCard& card,
                                  const OfflineEngines& engines) {
  if (!card.golden.has_value()) return absl::OkStatus();
  const absl::StatusOr<std::vector<std::uint8_t>> pixels = LoadGoldenImages(folder.path, card);
  if (!pixels.ok()) return pixels.status();
  const absl::StatusOr<std::unique_ptr<Engine>> engine = engines.fast();
  if (!engine.ok()) return engine.status();
  for (std::size_t i = 0; i < card.golden->log_probabilities.size(); ++i) {
    const absl::Status same = CheckGoldenImage(card, *pixels, i, **engine);
    if (!same.ok()) return InFolder(folder, same);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DegenerateModel(const std::string& folder, const std::string& label,
                             const std::string& advice) {
  return absl::FailedPreconditionError(absl::StrCat(
      folder, ": the model gives every image of the verification the class ", Shown(label),
      "; wanted different classes for different images. The weights may be untrained or of another "
      "model; ",
      advice));
}

absl::StatusOr<OfflineModel> LoadOfflineModel(const VersionFolder& folder) {
  if (!folder.status.ok()) return folder.status;
  absl::StatusOr<ModelCard> card;
  if (!folder.is_weight_file) {
    card = LoadModelCard(folder.path);
    if (!card.ok()) return card.status();
  }
  const std::string path =
      folder.is_weight_file ? folder.path : absl::StrCat(folder.path, "/", card->weights);
  std::vector<std::string> notes;
  absl::StatusOr<Weights> weights = LoadWeightFile(path, &notes);
  if (!weights.ok()) return weights.status();
  card = CompareCard(folder, std::move(card), path, *weights, &notes);
  if (!card.ok()) return card.status();
  absl::StatusOr<OfflineEngines> engines = VerifyEngines(*weights, card->normalization);
  if (!engines.ok()) return InFolder(folder, engines.status());
  if (engines->only_class.has_value()) {
    return DegenerateModel(folder.path,
                           card->class_labels[static_cast<std::size_t>(*engines->only_class)],
                           "a server serves it only with --allow-degenerate-model=on");
  }
  if (absl::Status golden = CheckAllGoldenImages(folder, *card, *engines); !golden.ok()) {
    return golden;
  }
  return OfflineModel{*std::move(card), *std::move(weights), *std::move(engines), std::move(notes)};
}

absl::StatusOr<OfflineModel> LoadOneOfflineModel(const std::string& path) {
  const absl::StatusOr<ModelRepository> repository = ModelRepository::Open(path);
  if (!repository.ok()) return repository.status();
  const absl::StatusOr<FoundModels> found = repository->Scan();
  if (!found.ok()) return found.status();
  if (!found->unreadable.empty()) return found->unreadable.begin()->second;
  if (found->versions.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": has ", found->versions.size(), " versions; wanted one, such as ",
        found->versions.empty() ? absl::StrCat(path, "/1") : found->versions.front().path));
  }
  return LoadOfflineModel(found->versions.front());
}

}  // namespace hellocnn::cli
