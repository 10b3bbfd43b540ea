// Reads the members of a model card.
#ifndef HELLOCNN_CARD_READER_H_
#define HELLOCNN_CARD_READER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "hellocnn/model_card.h"

namespace hellocnn {

// Sets the fields of `card`, which must be new, from `json`, the content of the file `path`.
// Members that it does not know are ignored. INVALID_ARGUMENT: a member is missing or wrong. The
// message names the file, the member, the value found and the value wanted.
absl::Status ReadModelCard(const std::string& path, const nlohmann::json& json, ModelCard& card);

}  // namespace hellocnn

#endif  // HELLOCNN_CARD_READER_H_
