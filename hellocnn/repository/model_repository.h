// The folders from which models are served: what is there, and what has changed.
#ifndef HELLOCNN_REPOSITORY_MODEL_REPOSITORY_H_
#define HELLOCNN_REPOSITORY_MODEL_REPOSITORY_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/repository/rollout.h"

namespace hellocnn {

// One version of a model: a folder, or a weight file without a card.
struct VersionFolder {
  std::string model;    // its name
  std::string version;  // a number; of a path that is one version, what its card says
  std::string path;
  bool is_weight_file = false;
  // Changes if a file of the weights, or a file of the folder, is added, removed, replaced or
  // written.
  std::string fingerprint;
  // OK, or why the folder cannot be read. Then there is no fingerprint.
  absl::Status status;
  // True if the weights must be those that the card was written for. A version that is copied into
  // place is not whole before that.
  bool must_match_card = false;
};

// What is there now.
struct FoundModels {
  // Sorted by model and then from the highest version to the lowest.
  std::vector<VersionFolder> versions;
  // The errors of models whose folders could not be read, or whose rollout.json is wrong, by their
  // names. `versions` has nothing of them.
  std::map<std::string, absl::Status> unreadable;
  // What rollout.json of a model says, by the names of the models that have one.
  std::map<std::string, Rollout> rollouts;
};

// A path is one of four kinds, told apart by what is there:
//
//   a file        it has the weights of a version without a card: see CardWithDefaults;
//   a version     it has model_card.json, which says the name and the version;
//   a model       it has versions: folders whose names are numbers. Its own name is the model's;
//   a repository  it has models.
//
// A version is there as soon as it has its card. So whoever copies a version writes the card last,
// or copies to a name that is no number, such as ".2", and renames the folder. Names that begin
// with a dot are ignored, and so is everything that is neither a model nor a version. Symbolic
// links are followed.
//
// Thread-safe. Nothing is kept open.
class ModelRepository {
 public:
  // Blocks while it looks. NOT_FOUND: there is no such path, or no version in the folder; the
  // message says what was wanted. FAILED_PRECONDITION: it is neither a folder nor a regular file.
  // Other errors are the system's.
  static absl::StatusOr<ModelRepository> Open(const std::string& path);

  // Blocks while it looks. Of a version that vanishes meanwhile, nothing is returned. An error
  // means that nothing is known: it is that of the system, or that of LoadModelCard if the path is
  // a version.
  absl::StatusOr<FoundModels> Scan() const;

  // Returns true if the path is a version, whose name and number may change.
  bool is_one_version() const { return kind_ == Kind::kVersionFolder || kind_ == Kind::kFile; }

 private:
  enum class Kind { kFile, kVersionFolder, kModel, kRepository };
  ModelRepository(std::string path, Kind kind) : path_(std::move(path)), kind_(kind) {}

  std::string path_;
  Kind kind_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_REPOSITORY_MODEL_REPOSITORY_H_
