// A model that is read from files, without a server.
#ifndef HELLOCNN_CLI_MODELS_OFFLINE_MODEL_H_
#define HELLOCNN_CLI_MODELS_OFFLINE_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/models/offline_engine.h"
#include "hellocnn/model_card.h"
#include "hellocnn/repository/model_repository.h"
#include "hellocnn/weights.h"

namespace hellocnn::cli {

// A version that a server would serve.
struct OfflineModel {
  ModelCard card;  // with the name and the version that a server would give it
  Weights weights;
  OfflineEngines engines;
  std::vector<std::string> notes;  // what people should know, a sentence each
};

// Reads and checks a version as a server does before it serves it: the card, the weights, whether
// they belong together, the engine and the golden images. Blocks on the disk. Errors name the file
// or the folder, and are those of LoadModelCard, LoadWeightFile, Sha256OfFile, VerifyEngines,
// LoadGoldenImages and CheckGoldenImage. FAILED_PRECONDITION: the card was written for other
// weights and the folder wants a match, or all images get the same class.
absl::StatusOr<OfflineModel> LoadOfflineModel(const VersionFolder& folder);

// Finds the one version at `path`, a folder or a weight file, and reads it as above. Also returns
// the errors of ModelRepository. INVALID_ARGUMENT: there are several versions in the folder.
absl::StatusOr<OfflineModel> LoadOneOfflineModel(const std::string& path);

// Returns the error for a network that gives all images of the verification the same class.
// `folder` is what it is called in the message, and `advice` says what to do if that is meant so.
absl::Status DegenerateModel(const std::string& folder, const std::string& label,
                             const std::string& advice);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_OFFLINE_MODEL_H_
