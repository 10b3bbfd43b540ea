#include "hellocnn/formats/safetensors/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "hellocnn/strict_json.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
// Three levels: the header, the tensors in it, and the lists in those.
constexpr int kMaxDepth = 3;
constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kMaxNameLength = 256;

std::optional<Dtype> DtypeOf(const std::string& name) {
  static const auto* const dtypes = new std::map<std::string, Dtype>{{"F32", Dtype::kFloat32},
                                                                     {"F16", Dtype::kFloat16},
                                                                     {"BF16", Dtype::kBFloat16},
                                                                     {"F64", Dtype::kFloat64}};
  const auto found = dtypes->find(name);
  return found == dtypes->end() ? std::nullopt : std::optional(found->second);
}

class HeaderReader {
 public:
  HeaderReader(const std::string& path, std::size_t data_bytes)
      : path_(path), data_bytes_(data_bytes) {}

  absl::StatusOr<std::vector<SafetensorsEntry>> Read(std::string_view json) const {
    const absl::StatusOr<Json> header = ParseStrictJson(json, kMaxDepth);
    if (!header.ok()) return Wrong(absl::StrCat("header ", header.status().message()));
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, value] : header->items()) {
      if (name == kMetadata) {
        if (absl::Status status = CheckMetadata(value); !status.ok()) return status;
        continue;
      }
      absl::StatusOr<SafetensorsEntry> entry = ReadEntry(name, value);
      if (!entry.ok()) return entry.status();
      entries.push_back(*std::move(entry));
    }
    if (absl::Status status = OrderByData(entries); !status.ok()) return status;
    return entries;
  }

 private:
  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
  }

  absl::Status WrongTensor(const std::string& shown_name, const std::string& what) const {
    return Wrong(absl::StrCat("tensor ", shown_name, ": ", what));
  }

  absl::Status CheckMetadata(const Json& metadata) const {
    bool strings = metadata.is_object();
    if (strings) {
      for (const Json& value : metadata) strings = strings && value.is_string();
    }
    if (strings) return absl::OkStatus();
    return Wrong(absl::StrCat(kMetadata, " is ", ShownJson(metadata),
                              "; wanted an object, every member of which is a string"));
  }

  absl::StatusOr<SafetensorsEntry> ReadEntry(const std::string& name, const Json& value) const {
    SafetensorsEntry entry;
    if (name.size() > kMaxNameLength) {
      return WrongTensor(Shown(name), absl::StrCat("its name has ", name.size(),
                                                   " bytes; wanted at most ", kMaxNameLength));
    }
    entry.name = absl::CHexEscape(name);
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
        !value.contains("shape") || !value.contains("data_offsets")) {
      return WrongTensor(entry.name,
                         absl::StrCat("is described by ", ShownJson(value),
                                      "; wanted an object of dtype, shape and data_offsets"));
    }
    entry.shown_dtype = ShownJson(value["dtype"]);
    if (!value["dtype"].is_string()) {
      return WrongTensor(entry.name, absl::StrCat("dtype is ", entry.shown_dtype, "; wanted ",
                                                  kWantedDtypes, ", as \"F32\""));
    }
    entry.dtype = DtypeOf(value["dtype"].get<std::string>());
    std::vector<std::int64_t> offsets;
    if (!ReadNumbers(value["shape"], entry.shape) || entry.shape.size() > kMaxDimensions) {
      return WrongTensor(entry.name,
                         absl::StrCat("shape is ", ShownJson(value["shape"]), "; wanted at most ",
                                      kMaxDimensions, " whole numbers, none negative"));
    }
    if (!ReadNumbers(value["data_offsets"], offsets) || offsets.size() != 2 ||
        offsets[0] > offsets[1] || static_cast<std::size_t>(offsets[1]) > data_bytes_) {
      return WrongTensor(entry.name,
                         absl::StrCat("data_offsets are ", ShownJson(value["data_offsets"]),
                                      "; wanted [begin, end], in order and from 0 to ", data_bytes_,
                                      ", the length of the data"));
    }
    entry.begin = static_cast<std::size_t>(offsets[0]);
    entry.end = static_cast<std::size_t>(offsets[1]);
    if (!entry.dtype.has_value()) return entry;  // an error only if the network needs the tensor
    const std::int64_t bytes = offsets[1] - offsets[0];
    const auto width = static_cast<std::int64_t>(WidthOf(*entry.dtype));
    if (bytes % width != 0 || CountValues(entry.shape, bytes / width) != bytes / width) {
      return WrongTensor(
          entry.name,
          absl::StrCat("shape is ", ShapeToString(entry.shape), " and data_offsets span ", bytes,
                       " bytes; wanted ", width, " bytes for each value"));
    }
    return entry;
  }

  // Returns false if `list` is not a list of non-negative integers.
  static bool ReadNumbers(const Json& list, std::vector<std::int64_t>& numbers) {
    if (!list.is_array()) return false;
    for (const Json& number : list) {
      if (!number.is_number_unsigned()) return false;
      constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
      const auto value = number.get<std::uint64_t>();
      if (value > kMost) return false;
      numbers.push_back(static_cast<std::int64_t>(value));
    }
    return true;
  }

  absl::Status OrderByData(std::vector<SafetensorsEntry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    std::size_t covered = 0;
    for (const SafetensorsEntry& entry : entries) {
      if (entry.begin != covered) {
        return WrongTensor(entry.name,
                           absl::StrCat("its data begins at byte ", entry.begin, "; wanted byte ",
                                        covered, ", where the data before it ends"));
      }
      covered = entry.end;
    }
    if (covered == data_bytes_) return absl::OkStatus();
    return Wrong(absl::StrCat("has ", data_bytes_, " bytes of data; wanted ", covered,
                              ", which is where the last tensor ends"));
  }

  const std::string& path_;
  std::size_t data_bytes_;
};

}  // namespace

absl::StatusOr<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(const std::string& path,
                                                                    std::string_view json,
                                                                    std::size_t data_bytes) {
  return HeaderReader(path, data_bytes).Read(json);
}

}  // namespace hellocnn
