// Labelled images for commands that evaluate models without a server.
#ifndef HELLOCNN_CLI_MODELS_LABELLED_DATA_H_
#define HELLOCNN_CLI_MODELS_LABELLED_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/model_card.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

struct DataOptions {
  std::string where;          // a folder; empty if there are no data
  std::string part = "t10k";  // or "train"
  Presentation mending;       // what is done to the images first

  bool is_test_set() const { return part != "train"; }
};

// Adds --data, --part, --invert and --transpose, which set `options`. It must outlive parsing.
void AddDataOptions(CLI::App& command, DataOptions& options);

struct LabelledData {
  LabeledImages set;               // mended; at least one image
  std::vector<std::string> files;  // that were read
};

// Reads the images and labels of a model with `classes` classes. Blocks on the disk. Returns the
// errors of FindDatasetFiles and ReadMnist. INVALID_ARGUMENT: there are no images.
absl::StatusOr<LabelledData> LoadLabelledData(const DataOptions& options, int classes);

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
