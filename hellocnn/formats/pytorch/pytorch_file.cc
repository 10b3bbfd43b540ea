#include "hellocnn/formats/pytorch/pytorch_file.h"

#include <cstddef>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/formats/pytorch/archive.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"
#include "hellocnn/formats/pytorch/tensor_loader.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

// HelloCNN's pickle is smaller than 10 KiB. With this limit, the pickle of a larger network still
// gets the message about its tensors.
constexpr std::size_t kMaxPickleBytes = std::size_t{4} << 20;
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

// Collects the tensors of a file by name.
class Collector {
 public:
  Collector(const std::string& path, TensorLoader& loader) : path_(path), loader_(loader) {}

  absl::Status AddStateDict(const PickleValue& dict) {
    for (const auto& [key, value] : dict.entries) {
      if (key->kind != Kind::kString || !IsTensor(*value)) return NotAStateDict(dict, *key, *value);
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

  std::map<std::string, Tensor> Take() { return std::move(tensors_); }

 private:
  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
  }

  absl::Status Add(const std::string& name, const PickleValue& value) {
    const std::string shown = ShownName(name);
    absl::StatusOr<Tensor> tensor = loader_.Load(shown, value);
    if (!tensor.ok()) return tensor.status();
    if (!tensors_.emplace(shown, *std::move(tensor)).second) {
      return Wrong(absl::StrCat("tensor ", shown, " is there twice; wanted once"));
    }
    return absl::OkStatus();
  }

  // Returns an error for a file without a state_dict at its root. A checkpoint often wraps the
  // state_dict; the message then says where it is.
  absl::Status NotAStateDict(const PickleValue& dict, const PickleValue& key,
                             const PickleValue& value) const {
    for (const auto& [outer, inner] : dict.entries) {
      if (outer->kind != Kind::kString || !IsDict(*inner) || inner->entries.empty()) continue;
      if (!IsTensor(*inner->entries.front().second)) continue;
      const std::string name = ShownName(outer->text);
      return Wrong(absl::StrCat("is a checkpoint, a dict of ", dict.entries.size(),
                                ", that seems to hold a state_dict under the key \"", name,
                                "\"; wanted that state_dict alone: torch.save(checkpoint[\"", name,
                                "\"], path)"));
    }
    return Wrong(absl::StrCat("is not a state_dict: the dict's key, ", Describe(key), ", has ",
                              Describe(value), "; wanted a string and a tensor"));
  }

  const std::string& path_;
  TensorLoader& loader_;
  int attributes_ = 0;
  std::map<std::string, Tensor> tensors_;
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

}  // namespace

absl::StatusOr<Weights> LoadPytorchFile(const std::string& path) {
  absl::StatusOr<Archive> archive = Archive::Open(path);
  if (!archive.ok()) return archive.status();
  const absl::StatusOr<std::string> bytes = archive->Read("data.pkl", kMaxPickleBytes);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<Pickle> pickle = ReadPickle(path, *bytes);
  if (!pickle.ok()) return pickle.status();
  absl::StatusOr<TensorLoader> loader = TensorLoader::Create(*archive);
  if (!loader.ok()) return loader.status();

  const PickleValue& root = pickle->root();
  Collector collector(path, *loader);
  absl::Status collected = IsDict(root)           ? collector.AddStateDict(root)
                           : IsScriptObject(root) ? collector.AddScriptModule("", root, 0)
                                                  : NeitherKind(path, root);
  if (!collected.ok()) return collected;
  absl::StatusOr<Weights> weights = Weights::Create(collector.Take());
  if (!weights.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", weights.status().message()));
  }
  return weights;
}

}  // namespace hellocnn
