// The models that are served now.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
#define HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// Maps names and versions to servables. Requests get handles, so a version that is withdrawn lives
// exactly as long as its last request.
//
// Thread-safe; nothing blocks for longer than a look into the map.
class ModelRegistry {
 public:
  // Makes a servable available to requests. The first one becomes the default. ALREADY_EXISTS: its
  // name and version are taken.
  absl::Status Publish(ServableHandle servable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a version unavailable and returns it, so that the caller can wait for its last request
  // and free its queue. If it was the default, the first remaining version becomes the default.
  // NOT_FOUND names it.
  absl::StatusOr<ServableHandle> Withdraw(const std::string& name, const std::string& version)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable of that version. NOT_FOUND names the version.
  absl::StatusOr<ServableHandle> Find(const std::string& name, const std::string& version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the servable for requests that name no model. UNAVAILABLE: nothing is published.
  absl::StatusOr<ServableHandle> Default() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::pair<std::string, std::string>, ServableHandle> servables_ ABSL_GUARDED_BY(mutex_);
  ServableHandle default_ ABSL_GUARDED_BY(mutex_);  // null if servables_ is empty
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_REGISTRY_H_
