#include "hellocnn/formats/safetensors/save_safetensors_file.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace hellocnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "length and values are written as they lie in memory");

constexpr std::size_t kAlignment = 8;

}  // namespace

absl::Status SaveSafetensorsFile(const Weights& weights, const std::string& path) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const auto& [name, tensor] : weights.tensors()) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()),
                tensor.values.size() * sizeof(float));
    header[name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  std::string json = header.dump();
  json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = json.size();
  const std::string length_bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  return ReplaceFile(path, absl::StrCat(length_bytes, json, data));
}

}  // namespace hellocnn
