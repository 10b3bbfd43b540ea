#include "hellocnn/formats/pytorch/exported_program.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/shown.h"
#include "hellocnn/formats/pytorch/archive.h"
#include "hellocnn/formats/pytorch/strided_tensor.h"
#include "hellocnn/stored_weights.h"
#include "hellocnn/strict_json.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr char kProgram[] = "serialized_exported_program.json";
constexpr char kStateDict[] = "serialized_state_dict.pt";
constexpr char kOldStateDict[] = "serialized_state_dict.json";  // a zip archive all the same
constexpr char kFormat[] = "archive_format";
constexpr char kWeightsFolder[] = "data/weights/";
constexpr char kListEnding[] = "_weights_config.json";
constexpr char kExport[] =
    "torch.export.save(torch.export.export(model, (images,)), path) or "
    "torch.save(model.state_dict(), path)";

// HelloCNN's list is smaller than 4 KiB.
constexpr std::size_t kMaxListBytes = std::size_t{1} << 20;
// A list of tensors has depth 6, and deeper where a size is an expression, which is an error of its
// own.
constexpr int kMaxListDepth = 16;
constexpr std::size_t kMaxTensorName = 256;
constexpr std::int64_t kStrided = 7;  // a dense tensor, in the enumeration of layouts

// Returns the folder of a PT2 archive, which ends in "/", or "" if there is none.
std::string FolderOf(const ZipFile& file) {
  for (const std::string& name : file.names()) {
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos && name.substr(slash + 1) == kFormat) {
      return name.substr(0, slash + 1);
    }
  }
  return "";
}

// Returns PyTorch's name of a number of its serialized enumeration of dtypes, or "" for a number
// that is not known here.
std::string DtypeOfNumber(std::int64_t number) {
  static const auto* const names = new std::map<std::int64_t, std::string>{
      {1, "uint8"},      {2, "int8"},        {3, "int16"},   {4, "int32"},
      {5, "int64"},      {6, "float16"},     {7, "float32"}, {8, "float64"},
      {10, "complex64"}, {11, "complex128"}, {12, "bool"},   {13, "bfloat16"}};
  const auto found = names->find(number);
  return found == names->end() ? "" : found->second;
}

// Returns a member of an object, or null.
const Json* Member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

// Reads {"as_int": 6}, the form of a size that is known, into `number`. Returns false if it is
// anything else, or negative.
bool ReadSize(const Json& size, std::int64_t& number) {
  const Json* value = Member(size, "as_int");
  if (value == nullptr || !value->is_number_unsigned()) return false;
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (value->get<std::uint64_t>() > kMost) return false;
  number = value->get<std::int64_t>();
  return true;
}

bool ReadSizes(const Json* list, std::vector<std::int64_t>& numbers) {
  if (list == nullptr || !list->is_array() || list->size() > kMaxTensorDimensions) return false;
  for (const Json& size : *list) {
    if (!ReadSize(size, numbers.emplace_back())) return false;
  }
  return true;
}

// Loads the tensors of a list.
class ListedTensors {
 public:
  ListedTensors(Archive archive, bool big_endian)
      : archive_(std::move(archive)), big_endian_(big_endian) {}

  // Takes the list. The errors do not name the file.
  absl::Status Take(Json list) {
    list_ = std::move(list);
    const Json* config = Member(list_, "config");
    if (config == nullptr || !config->is_object()) {
      return absl::InvalidArgumentError("has no \"config\", an object; wanted a list of tensors");
    }
    for (const auto& [name, entry] : config->items()) {
      if (name.size() > kMaxTensorName) {
        return absl::InvalidArgumentError(absl::StrCat("has a tensor whose name has ", name.size(),
                                                       " bytes; wanted at most ", kMaxTensorName));
      }
      entries_.emplace(absl::CHexEscape(name), &entry);
    }
    return absl::OkStatus();
  }

  // Returns the names of all tensors, escaped for messages.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  absl::StatusOr<StoredTensor> Load(const std::string& name) {
    absl::StatusOr<StoredTensor> tensor = LoadEntry(*entries_.at(name));
    if (tensor.ok()) return tensor;
    return absl::InvalidArgumentError(
        absl::StrCat(archive_.path(), ": tensor ", name, ": ", tensor.status().message()));
  }

 private:
  static absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

  absl::StatusOr<StoredTensor> LoadEntry(const Json& entry) {
    const Json* record = Member(entry, "path_name");
    const Json* pickled = Member(entry, "use_pickle");
    const Json* meta = Member(entry, "tensor_meta");
    if (record == nullptr || !record->is_string() || pickled == nullptr || !pickled->is_boolean() ||
        meta == nullptr) {
      return Wrong(absl::StrCat("is described by ", ShownJson(entry),
                                "; wanted an object with path_name, use_pickle and tensor_meta"));
    }
    const Json* layout = Member(*meta, "layout");
    if (pickled->get<bool>() || layout == nullptr || *layout != kStrided) {
      return Wrong("is sparse, quantized or of a class of its own; wanted a plain dense tensor");
    }
    const Json* number = Member(*meta, "dtype");
    const std::string dtype =
        number != nullptr && number->is_number_unsigned() ? DtypeOfNumber(*number) : "";
    const std::optional<Dtype> known = DtypeNamed(dtype);
    if (!known.has_value()) {
      const std::string found = number == nullptr ? "missing" : ShownJson(*number);
      return Wrong(absl::StrCat("dtype is ", dtype.empty() ? found : dtype, "; wanted ",
                                kWantedDtypes, " (convert with .float())"));
    }
    StridedLayout positions;
    const Json* offset = Member(*meta, "storage_offset");
    if (!ReadSizes(Member(*meta, "sizes"), positions.shape) ||
        !ReadSizes(Member(*meta, "strides"), positions.strides) || offset == nullptr ||
        !ReadSize(*offset, positions.offset) ||
        positions.shape.size() != positions.strides.size()) {
      return Wrong(absl::StrCat(
          "tensor_meta is ", ShownJson(*meta),
          "; wanted sizes and strides of the same length, at most ", kMaxTensorDimensions,
          ", and a storage_offset, each {\"as_int\": N} with N not negative"));
    }
    const absl::StatusOr<const std::string*> storage =
        ReadStorage(record->get_ref<const std::string&>());
    if (!storage.ok()) return storage.status();
    if ((*storage)->size() % WidthOf(*known) != 0) {
      return Wrong(absl::StrCat("its storage has ", (*storage)->size(),
                                " bytes; wanted a multiple of ", WidthOf(*known)));
    }
    return ReadStrided(std::move(positions), **storage, *known, big_endian_, &budget_);
  }

  // Tensors may share a storage, which is then read once.
  absl::StatusOr<const std::string*> ReadStorage(const std::string& name) {
    auto storage = storages_.find(name);
    if (storage == storages_.end()) {
      absl::StatusOr<std::string> bytes =
          archive_.Read(absl::StrCat(kWeightsFolder, name), budget_.storage_bytes);
      if (!bytes.ok()) return bytes.status();
      budget_.storage_bytes -= bytes->size();
      storage = storages_.emplace(name, *std::move(bytes)).first;
    }
    return &storage->second;
  }

  Archive archive_;
  bool big_endian_;
  Json list_;
  std::map<std::string, const Json*> entries_;  // by escaped name; into list_
  std::map<std::string, std::string> storages_;
  ReadBudget budget_;
};

}  // namespace

bool IsExportedProgram(const ZipFile& file) {
  return file.Contains(kProgram) || !FolderOf(file).empty();
}

absl::StatusOr<ExportedWeights> FindExportedWeights(const ZipFile& file) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": ", what, "; wanted what ", kExport, " writes"));
  };
  for (const char* name : {kStateDict, kOldStateDict}) {
    if (!file.Contains(name)) continue;
    return ExportedWeights{.folder = "", .record = name, .is_state_dict = true};
  }
  const std::string folder = FolderOf(file);
  const std::string weights = folder + kWeightsFolder;
  std::vector<std::string> models;
  ExportedWeights found{.folder = folder, .record = "", .is_state_dict = false};
  bool is_compiled = false;
  for (const std::string& name : file.names()) {
    is_compiled = is_compiled || absl::StartsWith(name, folder + "data/aotinductor/");
    if (!absl::StartsWith(name, weights)) continue;
    const bool is_list = absl::EndsWith(name, kListEnding);
    if (!is_list && !absl::EndsWith(name, ".pt")) continue;
    models.push_back(name.substr(weights.size()));
    found.record = name;
    found.is_state_dict = !is_list;
  }
  if (models.size() == 1) return found;
  if (models.size() > 1) {
    return wrong(absl::StrCat("has the weights of ", models.size(), " models, ", Shown(models[0]),
                              " and ", Shown(models[1]), models.size() > 2 ? " among them" : ""));
  }
  if (is_compiled) {
    return wrong("is a package of code that AOTInductor compiled, whose weights cannot be read");
  }
  return wrong(absl::StrCat("is an exported program without weights among its ",
                            file.names().size(), " records (", file.FirstNames(), ")"));
}

absl::StatusOr<Weights> LoadListedWeights(ZipFile file, const ExportedWeights& where,
                                          std::vector<std::string>* notes) {
  const std::string path = file.path();
  const auto wrong = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": record \"", Shown(where.record), "\" ", status.message()));
  };
  const absl::StatusOr<std::string> text = file.Read(where.record, kMaxListBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Json> list = ParseStrictJson(*text, kMaxListDepth);
  if (!list.ok()) return wrong(list.status());
  Archive archive = Archive::InFolder(std::move(file), where.folder);
  const absl::StatusOr<bool> big_endian = IsBigEndian(archive);
  if (!big_endian.ok()) return big_endian.status();
  ListedTensors tensors(std::move(archive), *big_endian);
  if (absl::Status status = tensors.Take(*std::move(list)); !status.ok()) return wrong(status);
  const auto load = [&](const std::string& name) { return tensors.Load(name); };
  return AssembleWeights(path, tensors.names(), load, notes);
}

}  // namespace hellocnn
