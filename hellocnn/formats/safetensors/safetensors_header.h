// The header of a safetensors file: the list of its tensors, and the position of each in the data.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/dtype.h"

namespace hellocnn {

// A tensor. Its values are row-major and little-endian. They are the bytes `begin` to `end` of the
// data.
struct SafetensorsEntry {
  std::string name;            // escaped for messages
  std::string shown_dtype;     // as in the file, for messages: "\"I64\""
  std::optional<Dtype> dtype;  // none: a type that cannot be converted to float32
  std::vector<std::int64_t> shape;
  std::size_t begin = 0;
  std::size_t end = 0;  // begin + the product of `shape` and the width of `dtype`, if there is one
};

// Reads the JSON of a header. Returns the entries in the order of their data. They cover
// `data_bytes` bytes without holes or overlaps. Takes time and memory in proportion to the length
// of `json`. INVALID_ARGUMENT: the header is invalid. The message starts with `path` and names the
// tensor if it concerns one, the value found and the value wanted.
absl::StatusOr<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(const std::string& path,
                                                                    std::string_view json,
                                                                    std::size_t data_bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_
