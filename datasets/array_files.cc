#include "datasets/array_files.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/shown.h"
#include "datasets/npz_file.h"

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxArrayFiles = 1000;
constexpr std::size_t kMaxListedArrays = 20;
constexpr char kWantedArrays[] = "wanted such as x_test and y_test, or images and labels";

// What the names of a file and of a record in it say: "kmnist-test-imgs" and "arr_0" are the images
// of the test part of "kmnist".
struct ArrayRole {
  std::string set;
  std::string part;  // "training", "test", "val" for other parts, or "" for data without parts
  std::string kind;  // "images", "labels" or ""
};

bool IsOneOf(const std::string& word, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* each) { return word == each; });
}

// Later words outdo earlier ones, as those of a record do those of its file.
ArrayRole RoleOf(const std::string& names) {
  ArrayRole role;
  std::vector<std::string> set;
  const std::vector<std::string> words =
      absl::StrSplit(absl::AsciiStrToLower(names), absl::ByAnyChar("-._ "), absl::SkipEmpty());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (const std::optional<DataPart> part = PartOfName(word); part.has_value()) {
      role.part = ToString(*part);
    } else if (IsOneOf(word, {"val", "valid", "validation"})) {
      role.part = "validation";
    } else if (IsOneOf(word, {"images", "image", "imgs", "img", "x"})) {
      role.kind = "images";
    } else if (IsOneOf(word, {"labels", "label", "targets", "target", "y"})) {
      role.kind = "labels";
    } else if (word == "arr" && i + 2 == words.size()) {
      // numpy.savez(path, images, labels) names the arrays by their order.
      if (role.kind.empty() && words[i + 1] == "0") role.kind = "images";
      if (role.kind.empty() && words[i + 1] == "1") role.kind = "labels";
      break;
    } else {
      set.push_back(word);
    }
  }
  role.set = absl::StrJoin(set, "-");
  return role;
}

struct FoundArray {
  ArraySource source;
  ArrayRole role;
};

// Appends the arrays of a .npy or .npz file that are images or labels.
absl::Status AppendArrays(const std::string& path, std::vector<FoundArray>& found) {
  const std::string stem = fs::path(path).stem().string();
  std::vector<std::string> records = {""};
  if (absl::EndsWithIgnoreCase(path, ".npz")) {
    const absl::StatusOr<NpzFile> archive = NpzFile::Open(path);
    if (!archive.ok()) return archive.status();
    records = archive->names();
  }
  for (const std::string& record : records) {
    ArrayRole role = RoleOf(absl::StrCat(stem, " ", absl::StripSuffix(record, ".npy")));
    if (!role.kind.empty()) found.push_back({{path, record}, std::move(role)});
  }
  return absl::OkStatus();
}

// Returns the files of the folder whose names end as those of arrays, by name. INVALID_ARGUMENT:
// there are too many.
absl::StatusOr<std::vector<std::string>> ArrayFilesIn(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string path = entry->path().string();
    std::error_code ignored;
    if (absl::StartsWith(entry->path().filename().string(), ".")) continue;
    if (!absl::EndsWithIgnoreCase(path, ".npy") && !absl::EndsWithIgnoreCase(path, ".npz"))
      continue;
    if (entry->is_directory(ignored)) continue;
    if (files.size() == kMaxArrayFiles) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder.string(), ": has more than ", kMaxArrayFiles,
                       " files of arrays; wanted a folder with one data set, or one file"));
    }
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Returns the arrays that `where` means, of all parts.
absl::StatusOr<std::vector<FoundArray>> ArraysOf(const std::string& where) {
  std::error_code error;
  std::vector<FoundArray> found;
  std::string set;
  absl::StatusOr<std::vector<std::string>> files = std::vector<std::string>{where};
  const fs::path path(where);
  if (fs::is_directory(path, error)) {
    files = ArrayFilesIn(path);
  } else if (!fs::exists(path, error)) {
    files = ArrayFilesIn(path.has_parent_path() ? path.parent_path() : ".");
    set = RoleOf(path.filename().string()).set;
    if (set.empty()) return found;
  }
  if (!files.ok()) return files.status();
  for (const std::string& file : *files) {
    // Other files of the folder may be damaged.
    if (!set.empty() && !absl::StartsWith(RoleOf(fs::path(file).stem().string()).set, set))
      continue;
    if (absl::Status status = AppendArrays(file, found); !status.ok()) return status;
  }
  return found;
}

// Images and labels of one set and part, of which one may be missing.
struct ArrayPair {
  std::optional<ArraySource> images;
  std::optional<ArraySource> labels;
};

// Pairs the arrays of `part`, by set.
absl::StatusOr<std::map<std::string, ArrayPair>> PairArrays(const std::string& where,
                                                            const std::vector<FoundArray>& found,
                                                            const std::string& part) {
  std::map<std::string, ArrayPair> pairs;
  for (const FoundArray& array : found) {
    if (array.role.part != part) continue;
    ArrayPair& pair = pairs[array.role.set];
    std::optional<ArraySource>& role = array.role.kind == "images" ? pair.images : pair.labels;
    if (role.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": both ", role->name(), " and ",
                                                     array.source.name(), " may be the ",
                                                     array.role.kind, "; wanted one of them"));
    }
    role = array.source;
  }
  std::erase_if(pairs, [](const auto& pair) {
    return !pair.second.images.has_value() || !pair.second.labels.has_value();
  });
  return pairs;
}

absl::Status NoSuchArrays(const std::string& where, DataPart part,
                          const std::vector<FoundArray>& found) {
  std::vector<std::string> names;
  for (const FoundArray& array : found) {
    if (names.size() < kMaxListedArrays) names.push_back(Printable(array.source.name()));
  }
  return absl::NotFoundError(absl::StrCat(
      where, ": has no arrays with the images and labels of a ", ToString(part), " set; ",
      kWantedArrays, "; found ", absl::StrJoin(names, "; "),
      found.size() > names.size() ? absl::StrCat(" and ", found.size() - names.size(), " more")
                                  : ""));
}

}  // namespace

std::string ArraySource::name() const {
  if (record.empty()) return path;
  return absl::StrCat(path, ", ", Shown(std::string(absl::StripSuffix(record, ".npy"))));
}

absl::StatusOr<std::optional<ArrayFiles>> FindArrays(const std::string& where, DataPart part,
                                                     bool take_undivided) {
  const absl::StatusOr<std::vector<FoundArray>> found = ArraysOf(where);
  if (!found.ok()) return found.status();
  if (found->empty()) return std::nullopt;
  auto pairs = PairArrays(where, *found, ToString(part));
  if (pairs.ok() && pairs->empty() && take_undivided) pairs = PairArrays(where, *found, "");
  if (!pairs.ok()) return pairs.status();
  if (pairs->empty()) return NoSuchArrays(where, part, *found);
  if (pairs->size() > 1) {
    const auto name = [](std::string* out, const auto& pair) { out->append(Shown(pair.first)); };
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": has ", pairs->size(),
        " data sets; wanted the name of one of them: ", absl::StrJoin(*pairs, ", ", name)));
  }
  const ArrayPair& pair = pairs->begin()->second;
  return ArrayFiles{*pair.images, *pair.labels};
}

absl::StatusOr<NpyArray> ReadArray(const ArraySource& source) {
  if (source.record.empty()) return ReadNpy(source.path);
  absl::StatusOr<NpzFile> archive = NpzFile::Open(source.path);
  if (!archive.ok()) return archive.status();
  absl::StatusOr<std::string> bytes = archive->Read(source.record, kMaxNpyBytes);
  if (!bytes.ok()) return bytes.status();
  return ParseNpy(source.name(), *std::move(bytes));
}

}  // namespace hellocnn
