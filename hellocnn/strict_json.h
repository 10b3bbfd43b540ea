// Parses JSON that comes from outside, and rejects what parsers disagree about.
#ifndef HELLOCNN_STRICT_JSON_H_
#define HELLOCNN_STRICT_JSON_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hellocnn {

// Parses an object. Takes time and memory in proportion to the length of the text. Thread-safe.
// INVALID_ARGUMENT: the text is not JSON that begins with "{", has a NUL, nests objects and lists
// more than `max_depth` deep, or has a name twice in one object. The message continues a sentence
// whose subject is the text: "is not JSON: …".
absl::StatusOr<nlohmann::json> ParseStrictJson(std::string_view text, int max_depth);

// Returns the JSON as text, shortened for a message. It must not be nested deeply.
std::string ShownJson(const nlohmann::json& json);

}  // namespace hellocnn

#endif  // HELLOCNN_STRICT_JSON_H_
