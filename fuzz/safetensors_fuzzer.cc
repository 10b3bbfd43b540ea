// safetensors files. Input: three bytes, the number of zeros that follow the rest, and the rest: a
// file of weights is a quarter of a megabyte, nearly all of which no parser looks at.
#include <cstring>

#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "fuzz/weights_check.h"
#include "hellocnn/formats/safetensors/safetensors_file.h"
#include "hellocnn/formats/safetensors/safetensors_header.h"

namespace hellocnn::fuzz {
namespace {

constexpr std::size_t kMaxZeros = (std::size_t{1} << 18) - 1;

void CheckHeader(std::string_view json, std::size_t data_bytes) {
  const absl::StatusOr<std::vector<SafetensorsEntry>> entries =
      ReadSafetensorsHeader("the file", json, data_bytes);
  if (!entries.ok()) return RequireGoodError(entries.status(), "the file: ");
  std::size_t covered = 0;
  for (const SafetensorsEntry& entry : *entries) {
    Require(entry.begin == covered && entry.end >= entry.begin, "a hole or an overlap", entry.name);
    if (entry.dtype.has_value()) {
      const auto values =
          static_cast<std::int64_t>((entry.end - entry.begin) / WidthOf(*entry.dtype));
      Require(CountValues(entry.shape, values) == values, "a shape of another size", entry.name);
    }
    covered = entry.end;
  }
  Require(covered == data_bytes, "data that no tensor has");
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  if (size < 3) return 0;
  const std::size_t zeros =
      (data[0] | std::size_t{data[1]} << 8 | std::size_t{data[2]} << 16) & fuzz::kMaxZeros;
  const std::string bytes = fuzz::AsString(data + 3, size - 3) + std::string(zeros, '\0');
  static auto* const file = new fuzz::MemoryFile();
  file->Write(bytes);
  fuzz::CheckWeights(LoadSafetensorsFile(file->path()), file->path(), "weights.safetensors");

  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) return 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const std::string_view rest = std::string_view(bytes).substr(sizeof header_bytes);
  if (header_bytes > rest.size()) return 0;
  fuzz::CheckHeader(rest.substr(0, header_bytes), rest.size() - header_bytes);
  return 0;
}
