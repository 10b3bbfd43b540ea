// The model card: model_card.json beside the weights says what a model is, how it was made and how
// good it is.
#ifndef HELLOCNN_MODEL_CARD_H_
#define HELLOCNN_MODEL_CARD_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/topology.h"

namespace hellocnn {

// The part of the card that serving needs. JSON members have the names of these.
struct ModelCard {
  std::string name;                                // "mnist"
  std::string version;                             // "1"
  std::string weights;                             // file name, relative to the card's folder
  std::array<std::string, kClasses> class_labels;  // by class index
  double test_accuracy = 0;                        // 0 to 1
  // JSON object "preprocessing": content_size, padding, mean, standard_deviation.
  int content_size = 28;  // 1 to 32; content_size + 2 * padding = 32
  int padding = 2;
  Normalization normalization;
};

// Reads `directory`/model_card.json. Members that it does not know are left alone.
// NOT_FOUND: no such file. INVALID_ARGUMENT names the file, the member, what was found and what was
// wanted.
absl::StatusOr<ModelCard> LoadModelCard(const std::string& directory);

}  // namespace hellocnn

#endif  // HELLOCNN_MODEL_CARD_H_
