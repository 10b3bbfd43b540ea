#include "hellocnn/formats/safetensors/safetensors_index.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/formats/safetensors/tensors_in_file.h"
#include "hellocnn/stored_weights.h"
#include "hellocnn/strict_json.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxIndexBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxFiles = 64;
// The map has depth 2; other members are ignored, and may be deeper.
constexpr int kMaxIndexDepth = 8;
constexpr char kMap[] = "weight_map";
// pytorch_model.bin.index.json is an index of the same form.
constexpr char kTorchFiles[] =
    "a file of torch.save; wanted files of safetensors, or one file of all tensors: state = {}; "
    "[state.update(torch.load(file)) for file in files]; torch.save(state, \"weights.pt\")";

// A server takes no notice of files whose names begin with a dot, and so not of a change in them.
bool IsInSameFolder(const std::string& name) {
  return !name.empty() && name.front() != '.' &&
         name.find_first_of(std::string("/\0", 2)) == std::string::npos;
}

// Returns the file of each tensor, by the tensor's escaped name.
absl::StatusOr<std::map<std::string, std::string>> ReadMap(const std::string& path) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  const absl::StatusOr<std::string> text = ReadFileStart(path, kMaxIndexBytes + 1);
  if (!text.ok()) return text.status();
  if (text->size() > kMaxIndexBytes) {
    return wrong(absl::StrCat("is JSON of more than ", kMaxIndexBytes,
                              " bytes; wanted the index of HelloCNN's weights"));
  }
  const absl::StatusOr<Json> parsed = ParseStrictJson(*text, kMaxIndexDepth);
  if (!parsed.ok()) {
    return wrong(absl::StrCat("begins like the index of safetensors files, but ",
                              parsed.status().message()));
  }
  const Json& index = *parsed;
  if (!index.contains(kMap) || !index[kMap].is_object()) {
    return wrong(absl::StrCat("is JSON without \"", kMap,
                              "\", an object; wanted the index of safetensors files"));
  }
  std::map<std::string, std::string> files;
  std::set<std::string> names;
  for (const auto& [name, file] : index[kMap].items()) {
    const std::string shown = absl::CHexEscape(name);
    if (!file.is_string() || !IsInSameFolder(file.get_ref<const std::string&>())) {
      return wrong(absl::StrCat(
          "tensor ", Shown(name), ": its file is ",
          Shown(file.is_string() ? file.get<std::string>() : file.type_name()),
          "; wanted the name of a file in the same folder that does not begin with a dot"));
    }
    files[shown] = file.get<std::string>();
    if (absl::EndsWith(files[shown], ".bin")) {
      return wrong(absl::StrCat("names ", Shown(files[shown]), ", ", kTorchFiles));
    }
    names.insert(files[shown]);
  }
  if (names.size() > kMaxFiles) {
    return wrong(absl::StrCat("names ", names.size(), " files; wanted at most ", kMaxFiles));
  }
  return files;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FilesOfSafetensorsIndex(const std::string& path) {
  const absl::StatusOr<std::map<std::string, std::string>> file_of = ReadMap(path);
  if (!file_of.ok()) return file_of.status();
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::set<std::string> files;
  for (const auto& [name, file] : *file_of) files.insert((folder / file).string());
  return std::vector<std::string>(files.begin(), files.end());
}

absl::StatusOr<Weights> LoadSafetensorsIndex(const std::string& path,
                                             std::vector<std::string>* notes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  const absl::StatusOr<std::map<std::string, std::string>> file_of = ReadMap(path);
  if (!file_of.ok()) return file_of.status();
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::map<std::string, TensorsInFile> files;
  std::size_t bytes_left = TensorsInFile::kMaxBytes;
  std::vector<std::string> names;
  for (const auto& [name, file] : *file_of) {
    if (!files.contains(file)) {
      absl::StatusOr<TensorsInFile> opened =
          TensorsInFile::Open((folder / file).string(), bytes_left);
      if (!opened.ok()) return opened.status();
      bytes_left -= opened->size();
      files.emplace(file, *std::move(opened));
    }
    if (!files.at(file).entries().contains(name)) {
      return wrong(absl::StrCat("says that tensor ", Shown(name), " is in ", Shown(file),
                                ", which does not have it"));
    }
    names.push_back(name);
  }
  const auto load = [&](const std::string& name) { return files.at(file_of->at(name)).Load(name); };
  absl::StatusOr<Weights> weights = AssembleWeights(path, names, load, notes);
  if (weights.ok() && notes != nullptr) {
    notes->push_back(absl::StrCat(path, ": is an index; took the tensors of ", files.size(),
                                  files.size() == 1 ? " file" : " files"));
  }
  return weights;
}

}  // namespace hellocnn
