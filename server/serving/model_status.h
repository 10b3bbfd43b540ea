// What has become of one version of a model.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_STATUS_H_
#define HELLOCNN_SERVER_SERVING_MODEL_STATUS_H_

#include <optional>
#include <string>

#include "hellocnn/repository/rollout.h"

namespace hellocnn::server {

struct ModelStatus {
  enum class State { kLoading, kServing, kStandby, kRolledBack, kDraining, kFailed };
  std::string name;
  std::string version;
  State state = State::kLoading;
  // Why it has failed, also while it is tried again, or, if it serves, what needs attention.
  std::string reason;
  // What part it has in the requests of its model, while it is the candidate.
  std::optional<Rollout> rollout;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_STATUS_H_
