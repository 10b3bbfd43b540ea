// The folders from which models are served: what is there, and what has changed.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_REPOSITORY_H_
#define HELLOCNN_SERVER_SERVING_MODEL_REPOSITORY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::server {

// One version of a model: a folder, or a weight file without a card.
struct VersionFolder {
  std::string model;    // its name
  std::string version;  // a number, except for the only version of a folder that says so itself
  std::string path;
  bool is_weight_file = false;
  // Changes if the file, or a file of the folder, is added, removed, replaced or written.
  std::string fingerprint;
  // True if the weights must be those that the card was written for. A version that is copied into
  // place is not whole before that.
  bool must_match_card = false;
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

  // Returns the versions that are there now, sorted by model and then from the highest version to
  // the lowest. Of a version that vanishes meanwhile, nothing is returned. Blocks while it looks.
  // The errors are the system's, and none of them means that there are no versions.
  absl::StatusOr<std::vector<VersionFolder>> Scan() const;

 private:
  enum class Kind { kFile, kVersion, kModel, kRepository };
  ModelRepository(std::string path, Kind kind) : path_(std::move(path)), kind_(kind) {}

  std::string path_;
  Kind kind_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_REPOSITORY_H_
