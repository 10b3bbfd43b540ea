#include "hellocnn/strict_json.h"

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxShownJson = 80;

// Detects two problems that the parser would accept: duplicate names, of which the parser keeps the
// last, and deep nesting. After the first problem it discards all further values.
class ParserWatch {
 public:
  explicit ParserWatch(int max_depth) : max_depth_(max_depth) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (!problem_.empty()) return false;
    using Event = Json::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) && depth >= max_depth_) {
      problem_ = absl::StrCat("is nested more than ", max_depth_, " deep");
    } else if (event == Event::object_start) {
      names_.emplace_back();
    } else if (event == Event::object_end) {
      names_.pop_back();
    } else if (event == Event::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names_.back().insert(name).second) {
        problem_ = absl::StrCat("has \"", Shown(name), "\" twice; wanted each name once");
      }
    }
    return problem_.empty();
  }

  const std::string& problem() const { return problem_; }

 private:
  const int max_depth_;
  std::vector<std::set<std::string>> names_;  // the names so far, for each open object
  std::string problem_;
};

}  // namespace

absl::StatusOr<Json> ParseStrictJson(std::string_view text, int max_depth) {
  // The parser would skip a byte order mark. It would also stop at a NUL and ignore all text
  // after it.
  if (text.empty() || text.front() != '{' || text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("is \"", Shown(text), "\"; wanted JSON that begins with { and has no NUL"));
  }
  ParserWatch watch(max_depth);
  try {
    Json json = Json::parse(text, std::ref(watch));
    if (watch.problem().empty()) return json;
  } catch (const Json::exception& error) {
    if (watch.problem().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("is not JSON: ", Shown(error.what(), 256)));
    }
  }
  return absl::InvalidArgumentError(watch.problem());
}

std::string ShownJson(const Json& json) {
  const std::string text = json.dump(-1, ' ', true);
  return text.size() <= kMaxShownJson ? text : absl::StrCat(text.substr(0, kMaxShownJson), "…");
}

}  // namespace hellocnn
