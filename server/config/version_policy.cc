#include "server/config/version_policy.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/version_number.h"

namespace hellocnn::server {
namespace {

constexpr int kMostVersions = 1000;

}  // namespace

absl::StatusOr<VersionPolicy> VersionPolicy::Parse(const std::string& text) {
  constexpr int kAll = std::numeric_limits<int>::max();
  const absl::Status wanted = absl::InvalidArgumentError(
      "wanted latest, latest:N with N from 1 to 1000, all, or numbers of versions as in 1,4");
  if (text == "latest") return VersionPolicy();
  if (text == "all") return VersionPolicy{.most = kAll};
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "latest:")) {
    int most = 0;
    if (!absl::SimpleAtoi(rest, &most) || most < 1 || most > kMostVersions) return wanted;
    return VersionPolicy{.most = most};
  }
  VersionPolicy policy{.most = kAll};
  const std::vector<std::string> versions = absl::StrSplit(text, ',');
  for (const std::string& version : versions) {
    if (!IsVersionNumber(version)) return wanted;
    policy.only.emplace(version);
  }
  return policy;
}

}  // namespace hellocnn::server
