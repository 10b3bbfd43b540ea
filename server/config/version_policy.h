// Which versions of a model are served.
#ifndef HELLOCNN_SERVER_CONFIG_VERSION_POLICY_H_
#define HELLOCNN_SERVER_CONFIG_VERSION_POLICY_H_

#include <limits>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::server {

// The highest versions, or some versions by name. Thread-compatible.
struct VersionPolicy {
  // How many are served of those that can be.
  int most = 1;
  // If it is not empty, no others.
  std::set<std::string> only;

  // Reads "latest", "latest:2", "all" or "1,4". INVALID_ARGUMENT says what was wanted.
  static absl::StatusOr<VersionPolicy> Parse(const std::string& text);

  // Whether no version takes the place of another.
  bool is_all() const { return most == std::numeric_limits<int>::max(); }
  bool Allows(const std::string& version) const { return only.empty() || only.contains(version); }
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_VERSION_POLICY_H_
