#include "hellocnn/formats/safetensors/safetensors_file.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/safetensors/safetensors_header.h"

namespace hellocnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "length and values are read as they lie in the file");

// Both limits are far above the needs of HelloCNN with 1,024 classes. A file of another network
// thus still gets the message about its tensors.
constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxDataBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxFileBytes = sizeof(std::uint64_t) + kMaxHeaderBytes + kMaxDataBytes;

}  // namespace

absl::StatusOr<Weights> LoadSafetensorsFile(const std::string& path) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  const absl::StatusOr<std::string> file = ReadFileStart(path, kMaxFileBytes + 1);
  if (!file.ok()) return file.status();
  if (file->size() > kMaxFileBytes) {
    return wrong(
        absl::StrCat("is larger than ", kMaxFileBytes, " bytes; wanted HelloCNN's weights"));
  }
  std::string_view rest = *file;
  std::uint64_t header_bytes = 0;
  if (rest.size() < sizeof(header_bytes)) {
    return wrong(absl::StrCat("has ", rest.size(), " bytes; wanted ", sizeof(header_bytes),
                              ", the length of the header, and more"));
  }
  std::memcpy(&header_bytes, rest.data(), sizeof(header_bytes));
  rest.remove_prefix(sizeof(header_bytes));
  if (header_bytes > kMaxHeaderBytes) {
    return wrong(absl::StrCat("says that its header has ", header_bytes, " bytes; wanted at most ",
                              kMaxHeaderBytes));
  }
  if (header_bytes > rest.size()) {
    return wrong(absl::StrCat("is truncated: says that its header has ", header_bytes,
                              " bytes, but only ", rest.size(), " follow"));
  }
  const std::string_view data = rest.substr(header_bytes);
  const absl::StatusOr<std::vector<SafetensorsEntry>> entries =
      ReadSafetensorsHeader(path, rest.substr(0, header_bytes), data.size());
  if (!entries.ok()) return entries.status();

  std::map<std::string, Tensor> tensors;
  for (const SafetensorsEntry& entry : *entries) {
    const std::size_t bytes = entry.end - entry.begin;
    Tensor tensor{entry.shape, std::vector<float>(bytes / sizeof(float))};
    if (bytes > 0) std::memcpy(tensor.values.data(), data.data() + entry.begin, bytes);
    tensors.emplace(entry.name, std::move(tensor));
  }
  absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  if (!weights.ok()) return wrong(std::string(weights.status().message()));
  return weights;
}

}  // namespace hellocnn
