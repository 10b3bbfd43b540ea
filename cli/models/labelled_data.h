// Labelled images for commands that evaluate models without a server.
#ifndef HELLOCNN_CLI_MODELS_LABELLED_DATA_H_
#define HELLOCNN_CLI_MODELS_LABELLED_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/labelled_images.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/model_card.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

struct DataOptions {
  std::string where;  // see LoadLabelledImages; empty if there are no data
  LoadOptions load;   // but for the labels of the classes
  bool part_is_given = false;
};

// Adds --data, --part and the options of AddLoadImagesOptions, which set `options`. It must outlive
// parsing.
void AddDataOptions(CLI::App& command, DataOptions& options);

// Reads the images and labels of a model with `classes` classes, whose labels are `class_labels`,
// or are unknown if that is empty. Blocks on the disk. Returns the errors of LoadLabelledImages.
// INVALID_ARGUMENT: a label is not below `classes`.
absl::StatusOr<LoadedImages> LoadLabelledData(const DataOptions& options,
                                              const std::vector<std::string>& class_labels,
                                              int classes);

// Returns the grey levels that the network sees, [count, 32, 32]: the images, fitted to the card's
// content_size and padding. Errors are those of FitGrey.
absl::StatusOr<std::vector<std::uint8_t>> FitToCard(const LabeledImages& set,
                                                    const ModelCard& card);

// Returns the mean and the standard deviation of the grey levels, 0 to 1, without the padding.
// `grey` is what FitToCard returns, and `padding` is the card's. INVALID_ARGUMENT: all pixels are
// the same.
absl::StatusOr<Normalization> MeasureNormalization(const std::vector<std::uint8_t>& grey,
                                                   int padding);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_LABELLED_DATA_H_
