// The model card: the file model_card.json beside the weights, which says what a model is, how it
// was made and how good it is.
#ifndef HELLOCNN_MODEL_CARD_H_
#define HELLOCNN_MODEL_CARD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// A card has at most as many golden images as this.
inline constexpr std::size_t kMaxGoldenImages = 64;

// Images whose results are known, so that whoever loads the model can see that it still computes
// the same. LoadGoldenImages and CheckGoldenImage (hellocnn/golden_images.h) do that.
struct GoldenImages {
  // Name of an IDX file of uint8 [count, 32, 32] in the card's folder: grey levels with the
  // padding.
  std::string images;
  // For each image, the natural logarithm of each class's probability, by class index.
  std::vector<std::vector<double>> log_probabilities;
};

// The part of the card that serving needs. The JSON members have the same names as the fields.
struct ModelCard {
  std::string name;     // "mnist"
  std::string version;  // "1"
  std::string weights;  // file name, relative to the card's folder
  std::vector<std::string>
      class_labels;  // by class index; kMinClasses to kMaxClasses labels, all different
  std::optional<double> test_accuracy;  // 0 to 1; unset if it was not measured
  // The SHA-256 of the weight file that the card was written for, in lower case. Empty if the card
  // does not say.
  std::string weights_sha256;
  // True once CompareWithWeights has found that the card was written for other weights.
  bool of_other_weights = false;
  std::optional<GoldenImages> golden;  // the JSON object "golden"
  // The following are members of the JSON object "preprocessing": content_size, padding, mean and
  // standard_deviation.
  int content_size = 28;  // 1 to 32; content_size + 2 * padding = 32
  int padding = 2;
  Normalization normalization;
};

// The member of the card that holds the SHA-256 of the weight file. It is optional.
inline constexpr char kWeightsSha256[] = "weights_sha256";

// Reads `directory`/model_card.json and ignores members that it does not know.
// NOT_FOUND: there is no such file; the message lists folders below that have one.
// FAILED_PRECONDITION: `directory` is a file. INVALID_ARGUMENT: the card is invalid. The message
// names the file, the member, the value found and the value wanted.
absl::StatusOr<ModelCard> LoadModelCard(const std::string& directory);

// Returns the card of weights that have none, as they come from a notebook: version "1", MNIST's
// preprocessing, and the labels "0", "1" and so on. `path` is that of the weight file, whose name
// without its ending is the name of the model; `sha256` is its checksum.
ModelCard CardWithDefaults(const std::string& path, int classes, const std::string& sha256);

// Checks that the card and the weights can belong to the same model: there must be one label for
// each class. INVALID_ARGUMENT: the numbers differ. The message gives both.
absl::Status CheckLabelsFit(const ModelCard& card, const Weights& weights);

// Tells a card the SHA-256 of the weight file that was loaded. Sets of_other_weights if the card
// holds another, and then weights_sha256. Returns what people should be told of the difference, or
// "" if there is none.
std::string CompareWithWeights(const std::string& sha256, ModelCard& card);

}  // namespace hellocnn

#endif  // HELLOCNN_MODEL_CARD_H_
