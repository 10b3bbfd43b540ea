// Writes JSON.
#ifndef HELLOCNN_LOADGEN_REPORT_JSON_H_
#define HELLOCNN_LOADGEN_REPORT_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

namespace hellocnn::load {

// Returns the document in ASCII, so that a terminal obeys nothing in it. Bytes in texts that are
// not UTF-8 are replaced. `indent` is -1 for one line.
inline std::string DumpJson(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', /*ensure_ascii=*/true,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_JSON_H_
