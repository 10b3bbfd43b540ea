#include "hellocnn/data/dataset_files.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 3;
constexpr int kMaxEntries = 10'000;
constexpr std::size_t kMaxListed = 20;

// What the name of a file says: "emnist-digits-test-images-idx3-ubyte.gz" has the images of part
// "t10k" of the set "emnist-digits".
struct NameParts {
  std::string set;  // empty for MNIST itself
  std::string part;
  bool images = false;  // else labels
};

// Returns true if the words are the end of an IDX file's name: "idx3", "ubyte" and "gz".
bool IsFormat(std::vector<std::string> words) {
  if (!words.empty() && words.back() == "gz") words.pop_back();
  if (words.size() > 1 && (words.back() == "ubyte" || words.back() == "int")) words.pop_back();
  return words.size() == 1 && absl::StartsWith(words.front(), "idx");
}

// Returns none if the file is none of a data set: also for a file that is being downloaded
// (".gz.part"), and for the "._" files that macOS adds.
std::optional<NameParts> ParseName(const std::string& name) {
  const auto is_separator = absl::ByAnyChar("-._ ");
  if (absl::StartsWith(name, ".")) return std::nullopt;
  NameParts parts;
  std::vector<std::string> set;
  bool has_kind = false;
  const std::vector<std::string> words =
      absl::StrSplit(absl::AsciiStrToLower(name), is_separator, absl::SkipEmpty());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "images" || word == "labels") {
      parts.images = word == "images";
      has_kind = IsFormat({words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
      break;
    }
    if (word == "train" || word == "t10k" || word == "test") {
      parts.part = word == "test" ? "t10k" : word;
    } else {
      set.push_back(word);
    }
  }
  if (!has_kind || parts.part.empty()) return std::nullopt;
  parts.set = absl::StrJoin(set, "-");
  return parts;
}

// Files that were found in one folder, by the name of their set.
using Sets = std::map<std::string, DatasetFiles>;

// Keeps the better of two paths with the same role: the plain one, and then the first by name.
void KeepBetter(const std::string& path, std::string& best) {
  const auto rank = [](const std::string& each) {
    return std::pair(absl::EndsWithIgnoreCase(each, ".gz"), each);
  };
  if (best.empty() || rank(path) < rank(best)) best = path;
}

class Search {
 public:
  Search(std::string root, std::string set, std::string part)
      : root_(std::move(root)), set_(std::move(set)), part_(std::move(part)) {}

  absl::StatusOr<DatasetFiles> Run() {
    std::deque<std::pair<fs::path, int>> folders = {{root_, 0}};
    int found_depth = kMaxDepth;
    while (!folders.empty()) {
      const auto [folder, depth] = folders.front();
      folders.pop_front();
      if (depth > found_depth) break;
      for (const fs::path& inner : ReadFolder(folder)) {
        if (depth < kMaxDepth) folders.emplace_back(inner, depth + 1);
      }
      if (!found_.empty()) found_depth = std::min(found_depth, depth);
    }
    if (found_.empty()) return Missing();
    if (found_.size() > 1) return Several();
    return found_.begin()->second;
  }

 private:
  // Adds the sets of the folder to found_. Returns the folders in it.
  std::vector<fs::path> ReadFolder(const fs::path& folder) {
    std::vector<fs::path> folders;
    Sets sets;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error);
         !error && entry != fs::directory_iterator() && seen_ < kMaxEntries;
         entry.increment(error), ++seen_) {
      std::error_code ignored;
      const fs::path& path = entry->path();
      const bool is_folder = entry->is_directory(ignored);
      listed_.push_back(path.lexically_relative(root_).string() + (is_folder ? "/" : ""));
      if (is_folder) {
        folders.push_back(path);
        continue;
      }
      const std::optional<NameParts> parts = ParseName(path.filename().string());
      if (!parts.has_value() || parts->part != part_ || !absl::StartsWith(parts->set, set_))
        continue;
      DatasetFiles& files = sets[parts->set];
      KeepBetter(path.string(), parts->images ? files.images : files.labels);
    }
    // Of a set and others whose names begin alike, the set itself was named.
    if (!set_.empty() && sets.contains(set_)) sets = {{set_, sets.at(set_)}};
    for (auto& [set, files] : sets) {
      if (files.images.empty() || files.labels.empty()) continue;
      found_.emplace((folder / set).string(), std::move(files));
    }
    std::sort(folders.begin(), folders.end());
    return folders;
  }

  absl::Status Missing() {
    std::error_code error;
    if (!fs::is_directory(root_, error)) {
      return absl::NotFoundError(absl::StrCat(
          root_, ": ", fs::exists(root_, error) ? "is a file" : "there is no such folder",
          "; wanted the folder with the images and labels of a data set"));
    }
    std::sort(listed_.begin(), listed_.end());
    const std::size_t more = listed_.size() - std::min(listed_.size(), kMaxListed);
    listed_.resize(listed_.size() - more);
    const auto shown = [](std::string* out, const std::string& name) { out->append(Shown(name)); };
    const std::string prefix = set_.empty() ? part_ : absl::StrCat(set_, "-", part_);
    return absl::NotFoundError(absl::StrCat(
        root_, ": has no images and labels of a ", part_ == "train" ? "training" : "test",
        " set; wanted such as ", prefix, "-images-idx3-ubyte and ", prefix,
        "-labels-idx1-ubyte, with or without .gz; found ",
        listed_.empty() ? "nothing" : absl::StrJoin(listed_, ", ", shown),
        more > 0 ? absl::StrCat(" and ", more, " more") : ""));
  }

  absl::Status Several() const {
    const auto key = [](std::string* out, const auto& entry) {
      fs::path path(entry.first);
      out->append(Shown((path.has_filename() ? path : path.parent_path()).string()));
    };
    return absl::InvalidArgumentError(absl::StrCat(
        root_, ": has ", found_.size(),
        " data sets; wanted the name of one of them: ", absl::StrJoin(found_, ", ", key)));
  }

  const std::string root_;
  const std::string set_;  // the beginning of the name of the set; empty for any
  const std::string part_;
  int seen_ = 0;
  std::vector<std::string> listed_;  // relative to the root
  Sets found_;                       // by folder and set
};

}  // namespace

absl::StatusOr<DatasetFiles> FindDatasetFiles(const std::string& where, const std::string& part) {
  std::error_code error;
  const fs::path path(where);
  if (fs::exists(path, error) || !path.has_filename()) return Search(where, "", part).Run();
  const fs::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const std::string set = absl::AsciiStrToLower(path.filename().string());
  absl::StatusOr<DatasetFiles> found = Search(parent.string(), set, part).Run();
  // What is not there as a set may have been meant as a folder.
  if (absl::IsNotFound(found.status())) return Search(where, "", part).Run();
  return found;
}

}  // namespace hellocnn
