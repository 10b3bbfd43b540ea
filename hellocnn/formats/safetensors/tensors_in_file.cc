#include "hellocnn/formats/safetensors/tensors_in_file.h"

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
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "hellocnn/dtype.h"
#include "hellocnn/formats/safetensors/safetensors_header.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "length and values are read as they lie in the file");

// Both limits are far above the needs of HelloCNN with 1,024 classes. A file of another network
// thus still gets the message about its tensors.
constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxDataBytes = std::size_t{64} << 20;

// Returns the numbers of a tensor whose bytes are `bytes`. The error does not name the tensor.
absl::StatusOr<std::vector<float>> ReadValues(Dtype dtype, std::string_view bytes) {
  const std::size_t width = WidthOf(dtype);
  std::vector<float> values(bytes.size() / width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * width, width);
    const absl::StatusOr<float> value = ToFloat32(dtype, bits);
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("value ", i, " ", value.status().message()));
    }
    values[i] = *value;
  }
  return values;
}

}  // namespace

const std::size_t TensorsInFile::kMaxBytes =
    sizeof(std::uint64_t) + kMaxHeaderBytes + kMaxDataBytes;

absl::StatusOr<TensorsInFile> TensorsInFile::Open(const std::string& path, std::size_t max_bytes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  absl::StatusOr<std::string> file = ReadFileStart(path, max_bytes + 1);
  if (!file.ok()) return file.status();
  if (file->size() > max_bytes) {
    return wrong(absl::StrCat("is larger than ", max_bytes, " bytes; wanted HelloCNN's weights"));
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
  const absl::StatusOr<std::vector<SafetensorsEntry>> entries =
      ReadSafetensorsHeader(path, rest.substr(0, header_bytes), rest.size() - header_bytes);
  if (!entries.ok()) return entries.status();
  std::map<std::string, SafetensorsEntry> by_name;
  for (const SafetensorsEntry& entry : *entries) {
    if (!by_name.emplace(entry.name, entry).second) {
      return wrong(absl::StrCat("tensor ", entry.name, " is there twice; wanted once"));
    }
  }
  return TensorsInFile(path, *std::move(file), sizeof(header_bytes) + header_bytes,
                       std::move(by_name));
}

absl::StatusOr<StoredTensor> TensorsInFile::Load(const std::string& name) const {
  const SafetensorsEntry& entry = entries_.at(name);
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": tensor ", name, ": ", what));
  };
  if (!entry.dtype.has_value()) {
    return wrong(absl::StrCat("dtype is ", entry.shown_dtype, "; wanted ", kWantedDtypes));
  }
  absl::StatusOr<std::vector<float>> values =
      ReadValues(*entry.dtype,
                 std::string_view(bytes_).substr(data_at_ + entry.begin, entry.end - entry.begin));
  if (!values.ok()) return wrong(values.status().message());
  return StoredTensor{{entry.shape, *std::move(values)}, *entry.dtype};
}

}  // namespace hellocnn
