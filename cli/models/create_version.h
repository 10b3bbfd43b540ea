// Makes a version that can be served out of a weight file.
#ifndef HELLOCNN_CLI_MODELS_CREATE_VERSION_H_
#define HELLOCNN_CLI_MODELS_CREATE_VERSION_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/models/labelled_data.h"
#include "cli/models/new_version.h"
#include "hellocnn/model_card.h"

namespace hellocnn::cli {

// What the user has asked for.
struct CreateRequest {
  std::string weights;                          // path of the weight file
  std::string output;                           // path of the new folder
  std::string name;                             // empty: the output says
  std::string version;                          // empty: the output says
  std::string weights_ending = ".safetensors";  // or ".pt": the format that is written
  // By class index. Empty: those that the data name, or else "0", "1" and so on.
  std::vector<std::string> class_labels;
  DataOptions data;
  std::optional<float> mean;  // unset: MNIST's
  std::optional<float> standard_deviation;
  bool measure_normalization = false;        // from the data
  int content_size = 28;                     // an even number from 2 to 32
  std::optional<std::size_t> golden_images;  // unset: one for each class, at most 16
  bool allow_degenerate = false;             // all images may get the same class
};

struct CreatedVersion {
  ModelCard card;                    // as it was written
  std::vector<std::string> notes;    // what people should know, a sentence each
  std::optional<Accuracy> accuracy;  // over the data; unset if there are none
  bool is_of_test_set = false;       // so the card claims it
};

// Checks the weights, evaluates them if there are data, chooses golden images and writes the
// version. Shows on standard error how far it is. Blocks for as long as it takes to classify the
// data. When it fails, nothing is left of the new folder.
//
// Errors are those of CheckIsNew, LoadWeightFile, LoadLabelledData, VerifyEngines and
// WriteNewVersion. INVALID_ARGUMENT: the output has no version number and there is no name and
// version, or there is not one label for each class. FAILED_PRECONDITION: all images get the same
// class.
absl::StatusOr<CreatedVersion> CreateVersion(const CreateRequest& request);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_CREATE_VERSION_H_
