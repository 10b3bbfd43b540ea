// The model card: model_card.json beside the weights says what a model is, how it was made and how
// good it is.
#ifndef HELLOCNN_MODEL_CARD_H_
#define HELLOCNN_MODEL_CARD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// The part of the card that serving needs. JSON members have the names of these.
struct ModelCard {
  std::string name;     // "mnist"
  std::string version;  // "1"
  std::string weights;  // file name, relative to the card's folder
  std::vector<std::string>
      class_labels;          // by class index: kMinClasses to kMaxClasses, all different
  double test_accuracy = 0;  // 0 to 1
  // JSON object "preprocessing": content_size, padding, mean, standard_deviation.
  int content_size = 28;  // 1 to 32; content_size + 2 * padding = 32
  int padding = 2;
  Normalization normalization;
};

// Reads `directory`/model_card.json. Members that it does not know are left alone.
// NOT_FOUND: no such file. INVALID_ARGUMENT names the file, the member, what was found and what was
// wanted.
absl::StatusOr<ModelCard> LoadModelCard(const std::string& directory);

// Checks that the card and the weights are of the same model, as far as can be told: there must be
// a label for each class. INVALID_ARGUMENT says how many there are of each.
absl::Status CheckLabelsFit(const ModelCard& card, const Weights& weights);

}  // namespace hellocnn

#endif  // HELLOCNN_MODEL_CARD_H_
