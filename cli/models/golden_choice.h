// Chooses the golden images of a new version.
#ifndef HELLOCNN_CLI_MODELS_GOLDEN_CHOICE_H_
#define HELLOCNN_CLI_MODELS_GOLDEN_CHOICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/models/offline_engine.h"
#include "hellocnn/model_card.h"

namespace hellocnn::cli {

// Returns the number of golden images that a card has.
std::size_t CountGoldenImages(const ModelCard& card);

// Images and the log-probabilities that the reference computes for them.
struct GoldenChoice {
  std::vector<std::uint8_t> images;                    // [count, 32, 32]
  std::vector<std::vector<double>> log_probabilities;  // [count][classes]
};

// Labelled images and what the network says of them: one label and one class for each image.
struct ClassifiedImages {
  const std::vector<std::uint8_t>& grey;  // [count, 32, 32]
  const std::vector<int>& labels;
  const std::vector<int>& classes;
};

// Returns at most `count` images that the network classifies rightly: one of each class, then a
// second of each, and so on, in the order of the images. Leaves out images whose two most likely
// classes are almost equally likely, because rounding could exchange them. Blocks as
// ReferenceLogProbabilities does.
absl::StatusOr<GoldenChoice> ChooseGoldenImages(const OfflineEngines& engines,
                                                const ClassifiedImages& images, std::size_t count);

// Returns at most `count` drawn images, always the same ones, for a model without labelled images.
// They show that a model computes the same, not that it is right.
absl::StatusOr<GoldenChoice> DrawnGoldenImages(const OfflineEngines& engines, std::size_t count);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_GOLDEN_CHOICE_H_
