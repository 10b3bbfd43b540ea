// How a model gets a new version step by step: the file rollout.json in the folder of the model.
#ifndef HELLOCNN_REPOSITORY_ROLLOUT_H_
#define HELLOCNN_REPOSITORY_ROLLOUT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// A version that computes a share of the requests of its model, together with the current version,
// while it is a candidate for its place. It never becomes the current version by itself.
struct Rollout {
  enum class Mode {
    kShadow,  // the current version responds, and the candidate's results are only compared
    kCanary,  // the candidate responds, and the current version's results are only compared
  };
  std::string candidate;  // a version number
  Mode mode = Mode::kShadow;
  double share = 0;  // of the requests that name no version; more than 0, at most 1

  bool operator==(const Rollout&) const = default;
};

// Returns "shadow" or "canary".
const char* NameOf(Rollout::Mode mode);

// Reads rollout.json in the folder of a model:
//
//   {"candidate": "3", "mode": "shadow", "share": 0.1}
//
// Returns nothing if there is no such file. Blocks on the disk. Thread-safe. INVALID_ARGUMENT: the
// content is something else; the message names the file, the member, what was found and what was
// wanted. Other errors are the system's.
absl::StatusOr<std::optional<Rollout>> LoadRollout(const std::string& model_folder);

// Replaces the file at once, as ReplaceFile does, whose errors it returns. Without a value it
// removes the file, if there is one. `rollout` must be as its members say. Blocks on the disk.
absl::Status SaveRollout(const std::string& model_folder, const std::optional<Rollout>& rollout);

}  // namespace hellocnn

#endif  // HELLOCNN_REPOSITORY_ROLLOUT_H_
