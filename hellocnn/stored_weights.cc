#include "hellocnn/stored_weights.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using NamesByTensor = std::map<std::string, std::string>;

// The wrappers of torch.compile, DataParallel, FullyShardedDataParallel and activation
// checkpointing.
const std::set<std::string>& Wrappers() {
  static const auto* const wrappers = new std::set<std::string>{
      "_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};
  return *wrappers;
}

std::string WithoutWrappers(const std::string& name) {
  return absl::StrJoin(
      absl::StrSplit(name, '.',
                     [](const auto& part) { return !Wrappers().contains(std::string(part)); }),
      ".");
}

// The names of the file that fit, by prefix and then by tensor.
absl::StatusOr<std::map<std::string, NamesByTensor>> GroupByPrefix(
    const std::vector<std::string>& names, const std::vector<TensorSpec>& specs) {
  std::map<std::string, NamesByTensor> groups;
  for (const std::string& name : names) {
    const std::string bare = WithoutWrappers(name);
    for (const TensorSpec& spec : specs) {
      if (!absl::EndsWith(bare, spec.name)) continue;
      NamesByTensor& group = groups[bare.substr(0, bare.size() - spec.name.size())];
      const auto [other, is_new] = group.emplace(spec.name, name);
      if (!is_new) {
        return absl::InvalidArgumentError(absl::StrCat("tensors ", other->second, " and ", name,
                                                       " could both be ", spec.name,
                                                       "; wanted one of them"));
      }
    }
  }
  return groups;
}

absl::Status SeveralFit(const std::vector<std::string>& prefixes, std::size_t tensors) {
  const auto quote = [](std::string* out, const std::string& prefix) {
    absl::StrAppend(out, "\"", prefix, "\"");
  };
  return absl::InvalidArgumentError(absl::StrCat(
      "has all ", tensors, " tensors ", prefixes.size(), " times, after the prefixes ",
      absl::StrJoin(prefixes, ", ", quote), "; wanted them once: save one of the models alone"));
}

// Describes how the names in the file differ from those of the network, or returns "".
std::string DescribeNames(const NamesByTensor& found) {
  const auto& [tensor, stored] = *found.begin();
  if (std::all_of(found.begin(), found.end(),
                  [](const auto& pair) { return pair.first == pair.second; })) {
    return "";
  }
  if (absl::EndsWith(stored, tensor)) {
    const std::string prefix = stored.substr(0, stored.size() - tensor.size());
    const bool shared = std::all_of(found.begin(), found.end(), [&](const auto& pair) {
      return pair.second == absl::StrCat(prefix, pair.first);
    });
    if (shared) {
      return absl::StrCat("stripped the prefix \"", prefix, "\" from the names of all ",
                          found.size(), " tensors");
    }
  }
  return absl::StrCat("stripped the names of wrappers from the names of tensors: \"", stored,
                      "\" is read as \"", tensor, "\", and so on");
}

// Describes which tensors had to be converted, a sentence for each type.
std::vector<std::string> DescribeDtypes(const std::map<Dtype, std::vector<std::string>>& stored) {
  std::vector<std::string> sentences;
  for (const auto& [dtype, names] : stored) {
    if (dtype == Dtype::kFloat32) continue;
    sentences.push_back(absl::StrCat(
        dtype == Dtype::kFloat64 ? "rounded float64 to float32 in "
                                 : absl::StrCat("widened ", NameOf(dtype), " to float32 in "),
        names.size(), names.size() == 1 ? " tensor: " : " tensors: ", absl::StrJoin(names, ", ")));
  }
  return sentences;
}

}  // namespace

absl::StatusOr<NamesByTensor> FindTensors(const std::vector<std::string>& names) {
  const std::vector<TensorSpec> specs = WeightTensors(kMinClasses);
  absl::StatusOr<std::map<std::string, NamesByTensor>> groups = GroupByPrefix(names, specs);
  if (!groups.ok()) return groups.status();
  std::vector<std::string> complete;
  const NamesByTensor nothing;
  std::pair<std::string, const NamesByTensor*> best = {"", &nothing};
  for (const auto& [prefix, group] : *groups) {
    if (group.size() == specs.size()) complete.push_back(prefix);
    if (group.size() > best.second->size()) best = {prefix, &group};
  }
  if (complete.size() > 1) return SeveralFit(complete, specs.size());
  for (const TensorSpec& spec : specs) {
    if (!best.second->contains(spec.name)) return MissingTensor(best.first, spec.name, names);
  }
  std::set<std::string> others(names.begin(), names.end());
  for (const auto& [tensor, name] : *best.second) others.erase(name);
  if (!others.empty()) return ForeignTensor(*others.begin(), others.size());
  return *best.second;
}

std::size_t CountTensors(const std::vector<std::string>& names) {
  const std::vector<TensorSpec> specs = WeightTensors(kMinClasses);
  const auto groups = GroupByPrefix(names, specs);
  if (!groups.ok()) return specs.size();  // FindTensors says which of them are there twice
  std::size_t most = 0;
  for (const auto& [prefix, group] : *groups) most = std::max(most, group.size());
  return most;
}

absl::StatusOr<Weights> AssembleWeights(
    const std::string& path, const std::vector<std::string>& names,
    const std::function<absl::StatusOr<StoredTensor>(const std::string& name)>& load,
    std::vector<std::string>* notes) {
  const auto wrong = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  };
  const absl::StatusOr<NamesByTensor> found = FindTensors(names);
  if (!found.ok()) return wrong(found.status());
  std::map<std::string, Tensor> tensors;
  std::map<Dtype, std::vector<std::string>> dtypes;
  for (const TensorSpec& spec : WeightTensors(kMinClasses)) {
    absl::StatusOr<StoredTensor> stored = load(found->at(spec.name));
    if (!stored.ok()) return stored.status();
    dtypes[stored->dtype].push_back(spec.name);
    tensors.emplace(spec.name, std::move(stored->tensor));
  }
  absl::StatusOr<Weights> weights = Weights::Create(std::move(tensors));
  if (!weights.ok()) return wrong(weights.status());
  if (notes != nullptr) {
    const std::string renamed = DescribeNames(*found);
    if (!renamed.empty()) notes->push_back(absl::StrCat(path, ": ", renamed));
    for (const std::string& converted : DescribeDtypes(dtypes)) {
      notes->push_back(absl::StrCat(path, ": ", converted));
    }
  }
  return weights;
}

}  // namespace hellocnn
