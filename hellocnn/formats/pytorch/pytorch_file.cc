#include "hellocnn/formats/pytorch/pytorch_file.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/pytorch/archive.h"
#include "hellocnn/formats/pytorch/exported_program.h"
#include "hellocnn/formats/pytorch/legacy_file.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"
#include "hellocnn/formats/pytorch/records.h"
#include "hellocnn/formats/pytorch/tensor_loader.h"
#include "hellocnn/formats/pytorch/zip_file.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

// HelloCNN's pickle is smaller than 10 KiB. With this limit, the pickle of a larger network still
// gets the message about its tensors.
constexpr std::size_t kMaxPickleBytes = std::size_t{4} << 20;
// The state_dict in an exported program: the storages that TensorLoader takes, and their pickle.
constexpr std::size_t kMaxStateDictBytes = std::size_t{68} << 20;
constexpr int kMaxModuleDepth = 32;
// Modules may be shared, so a short file could describe a tree of any size.
constexpr int kMaxAttributes = 1 << 16;
constexpr std::size_t kMaxNameLength = 256;

bool IsDict(const PickleValue& value) {
  return value.kind == Kind::kDict || value.Is(Kind::kCall, "collections.OrderedDict");
}

bool IsScriptObject(const PickleValue& value) {
  return value.kind == Kind::kObject && value.callee->text.rfind("__torch__.", 0) == 0;
}

std::string ShownName(const std::string& name) {
  return absl::CHexEscape(name.substr(0, kMaxNameLength));
}

// A dict of a file, and the Python expression that finds it.
struct FoundDict {
  std::string expression;  // checkpoint["model"]
  const PickleValue* dict;
};

// Returns the names under which the dict itself has tensors.
std::vector<std::string> TensorNames(const PickleValue& dict) {
  std::vector<std::string> names;
  for (const auto& [key, value] : dict.entries) {
    if (key->kind == Kind::kString && IsTensor(*value)) names.push_back(ShownName(key->text));
  }
  return names;
}

// Returns the root and the dicts in it, in the order of their depth. Each is there once, whatever
// refers to it.
std::vector<FoundDict> FindDicts(const PickleValue& root) {
  std::vector<FoundDict> dicts = {{"checkpoint", &root}};
  std::set<const PickleValue*> seen = {&root};
  for (std::size_t i = 0; i < dicts.size(); ++i) {
    const FoundDict outer = dicts[i];
    for (const auto& [key, value] : outer.dict->entries) {
      if (key->kind != Kind::kString || !IsDict(*value) || !seen.insert(value).second) continue;
      if (outer.expression.size() > kMaxNameLength) continue;
      dicts.push_back({absl::StrCat(outer.expression, "[\"", ShownName(key->text), "\"]"), value});
    }
  }
  return dicts;
}

// Finds the state_dict in what torch.save was given: that dict itself, or a checkpoint that has it
// among other things. The first that has the most of the network's tensors is the one.
absl::StatusOr<FoundDict> FindStateDict(const std::string& path, const PickleValue& root) {
  constexpr std::size_t kAll = 10;
  std::vector<FoundDict> best;
  std::size_t most = 0;
  for (FoundDict& found : FindDicts(root)) {
    const std::size_t tensors = CountTensors(TensorNames(*found.dict));
    if (tensors > most) best.clear();
    if (tensors >= std::max<std::size_t>(most, 1)) best.push_back(std::move(found));
    most = std::max(most, tensors);
  }
  if (best.empty()) return FoundDict{"checkpoint", &root};
  if (most == kAll && best.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is a checkpoint with ", best.size(), " models, ", best[0].expression, " and ",
        best[1].expression, "; wanted one: torch.save(", best[0].expression, ", path)"));
  }
  return best.front();
}

// Collects the tensors of a file by name, without loading them.
class Collector {
 public:
  explicit Collector(const std::string& path) : path_(path) {}

  absl::Status AddStateDict(const PickleValue& dict) {
    for (const auto& [key, value] : dict.entries) {
      if (key->kind != Kind::kString || !IsTensor(*value)) {
        return Wrong(absl::StrCat("is not a state_dict: the dict's key, ", Describe(*key), ", has ",
                                  Describe(*value), "; wanted a string and a tensor"));
      }
      if (absl::Status status = Add(key->text, *value); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Adds the tensors among the attributes of a module and of the modules in it. Ignores other
  // attributes, such as `training` and `stride`, which only matter to the module's code.
  absl::Status AddScriptModule(const std::string& prefix, const PickleValue& module, int depth) {
    if (depth > kMaxModuleDepth) {
      return Wrong(absl::StrCat("modules are nested more than ", kMaxModuleDepth, " deep at ",
                                ShownName(prefix)));
    }
    if (module.state == nullptr || !IsDict(*module.state)) {
      return Wrong(absl::StrCat(Describe(module), " at \"", ShownName(prefix), "\" has ",
                                module.state == nullptr ? "no attributes" : Describe(*module.state),
                                "; wanted a dict of attributes"));
    }
    for (const auto& [key, value] : module.state->entries) {
      if (++attributes_ > kMaxAttributes) {
        return Wrong(absl::StrCat("has more than ", kMaxAttributes, " attributes; wanted fewer"));
      }
      if (key->kind != Kind::kString) continue;
      if (!IsTensor(*value) && !IsScriptObject(*value)) continue;
      if (key->text.size() > kMaxNameLength) {
        return Wrong(absl::StrCat("has an attribute of the name ", Describe(*key),
                                  "; wanted a name of at most ", kMaxNameLength, " bytes"));
      }
      const std::string name = prefix.empty() ? key->text : absl::StrCat(prefix, ".", key->text);
      absl::Status status =
          IsTensor(*value) ? Add(name, *value) : AddScriptModule(name, *value, depth + 1);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  const std::map<std::string, const PickleValue*>& tensors() const { return tensors_; }

 private:
  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
  }

  absl::Status Add(const std::string& name, const PickleValue& value) {
    const std::string shown = ShownName(name);
    if (tensors_.emplace(shown, &value).second) return absl::OkStatus();
    return Wrong(absl::StrCat("tensor ", shown, " is there twice; wanted once"));
  }

  const std::string& path_;
  int attributes_ = 0;
  std::map<std::string, const PickleValue*> tensors_;
};

absl::Status NeitherKind(const std::string& path, const PickleValue& root) {
  if (root.kind == Kind::kObject) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is a whole pickled module, ", Describe(root),
        ", which only its Python code can load; wanted its numbers: torch.save(model.state_dict(), "
        "path)"));
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": holds ", Describe(root),
                                                 "; wanted a state_dict or a TorchScript module"));
}

// Loads what torch.save or TorchScript wrote.
absl::StatusOr<Weights> LoadRecords(Records& records, std::vector<std::string>* notes) {
  const std::string& path = records.path();
  const absl::StatusOr<std::string> bytes = records.Read("data.pkl", kMaxPickleBytes);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<Pickle> pickle = ReadPickle(path, *bytes);
  if (!pickle.ok()) return pickle.status();
  absl::StatusOr<TensorLoader> loader = TensorLoader::Create(records);
  if (!loader.ok()) return loader.status();

  const PickleValue& root = pickle->root();
  Collector collector(path);
  absl::Status collected;
  if (IsDict(root)) {
    const absl::StatusOr<FoundDict> found = FindStateDict(path, root);
    if (!found.ok()) return found.status();
    if (found->dict != &root && notes != nullptr) {
      notes->push_back(absl::StrCat(path, ": is a checkpoint; took ", found->expression));
    }
    collected = collector.AddStateDict(*found->dict);
  } else {
    collected =
        IsScriptObject(root) ? collector.AddScriptModule("", root, 0) : NeitherKind(path, root);
  }
  if (!collected.ok()) return collected;
  std::vector<std::string> names;
  for (const auto& [name, value] : collector.tensors()) names.push_back(name);
  const auto load = [&](const std::string& name) {
    return loader->Load(name, *collector.tensors().at(name));
  };
  return AssembleWeights(path, names, load, notes);
}

absl::StatusOr<Weights> LoadArchive(ZipFile file, std::vector<std::string>* notes) {
  absl::StatusOr<Archive> archive = Archive::Create(std::move(file));
  if (!archive.ok()) return archive.status();
  return LoadRecords(*archive, notes);
}

// Loads what torch.export.save wrote.
absl::StatusOr<Weights> LoadExportedProgram(ZipFile file, std::vector<std::string>* notes) {
  const absl::StatusOr<ExportedWeights> where = FindExportedWeights(file);
  if (!where.ok()) return where.status();
  if (!where->is_state_dict) return LoadListedWeights(std::move(file), *where, notes);
  absl::StatusOr<std::string> bytes = file.Read(where->record, kMaxStateDictBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<ZipFile> inner = ZipFile::OpenBytes(
      absl::StrCat(file.path(), ": ", ShownName(where->record)), *std::move(bytes));
  if (!inner.ok()) return inner.status();
  absl::StatusOr<Weights> weights = LoadArchive(*std::move(inner), notes);
  if (weights.ok() || !absl::StrContains(weights.status().message(), "L__self__")) return weights;
  return absl::InvalidArgumentError(
      absl::StrCat(weights.status().message(),
                   ". PyTorch 2.1 changed these names; export the model with a later version"));
}

}  // namespace

absl::StatusOr<Weights> LoadPytorchFile(const std::string& path, std::vector<std::string>* notes) {
  const absl::StatusOr<std::string> start = ReadFileStart(path, LegacyFile::kStartBytes);
  if (!start.ok()) return start.status();
  if (LegacyFile::Begins(*start)) {
    absl::StatusOr<LegacyFile> file = LegacyFile::Open(path);
    if (!file.ok()) return file.status();
    return LoadRecords(*file, notes);
  }
  absl::StatusOr<ZipFile> file = ZipFile::Open(path);
  if (!file.ok()) return file.status();
  return IsExportedProgram(*file) ? LoadExportedProgram(*std::move(file), notes)
                                  : LoadArchive(*std::move(file), notes);
}

}  // namespace hellocnn
