// The header of a safetensors file: which tensors there are, and where in the data each lies.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// A float32 tensor: its values, row-major and little-endian, are bytes `begin` to `end` of the
// data.
struct SafetensorsEntry {
  std::string name;  // escaped, fit to be shown
  std::vector<std::int64_t> shape;
  std::size_t begin = 0;
  std::size_t end = 0;  // begin + 4 * the product of `shape`
};

// Reads the JSON of a header. The entries, in the order of their data, cover `data_bytes` bytes
// without holes or overlaps. Takes time and memory in proportion to the length of `json`.
// INVALID_ARGUMENT starts with `path` and names the tensor if it is about one, what was found and
// what was wanted.
absl::StatusOr<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(const std::string& path,
                                                                    std::string_view json,
                                                                    std::size_t data_bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_HEADER_H_
