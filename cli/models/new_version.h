// Writes the folder of a new version of a model.
#ifndef HELLOCNN_CLI_MODELS_NEW_VERSION_H_
#define HELLOCNN_CLI_MODELS_NEW_VERSION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/images/render.h"
#include "cli/models/golden_choice.h"
#include "hellocnn/model_card.h"
#include "hellocnn/weights.h"

namespace hellocnn::cli {

// How many of labelled images a model gets right.
struct Accuracy {
  std::int64_t images = 0;
  std::int64_t correct = 0;
  ConfusionMatrix confusion;       // as many rows and columns as there are classes
  std::vector<std::string> files;  // with the images and labels

  double share() const { return static_cast<double>(correct) / static_cast<double>(images); }
};

// What the folder of a version gets.
struct NewVersion {
  // Without the SHA-256 of the weights, golden images and accuracy, which writing fills in.
  // `weights` is the name of the weight file; it ends in .pt or .safetensors.
  ModelCard card;
  GoldenChoice golden;           // may be empty
  std::optional<Accuracy> test;  // over a test set; unset if it was not measured
};

// Returns what is wrong with `path` for a new version, or OK. ALREADY_EXISTS: there is something;
// the message names the next version that is free. Blocks on the disk.
absl::Status CheckIsNew(const std::string& path);

// Writes the weights, the golden images and the card to `path`, which appears with all of them at
// once, and on the disk. Returns the card as it was written. Blocks on the disk. Returns the errors
// of CheckIsNew, NewFolder, SaveWeightFile, Sha256OfFile and ReplaceFile; then nothing is left.
absl::StatusOr<ModelCard> WriteNewVersion(const NewVersion& version, const Weights& weights,
                                          const std::string& path);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_NEW_VERSION_H_
