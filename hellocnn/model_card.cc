#include "hellocnn/model_card.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/card_reader.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxCardBytes = std::size_t{1} << 20;
// More than a card needs, but small enough to show any part of the card in an error.
constexpr int kMaxCardDepth = 16;

namespace fs = std::filesystem;

std::string CardIn(const std::string& directory) {
  return absl::StrCat(directory, "/model_card.json");
}

bool IsRegularFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// Returns the folders within `directory` that have a card, relative to it: "1" or "mnist/1". Looks
// two folders deep, and at a limited number of them.
std::vector<std::string> FoldersWithCards(const std::string& directory) {
  constexpr int kMostEntries = 1000;
  constexpr int kMostFolders = 16;
  std::vector<std::string> folders;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, fs::directory_options::skip_permission_denied,
                                         error);
  for (int seen = 0; !error && entry != fs::recursive_directory_iterator() && seen < kMostEntries;
       entry.increment(error), ++seen) {
    std::error_code ignored;
    if (!entry->is_directory(ignored)) continue;
    if (fs::exists(CardIn(entry->path().string()), ignored)) {
      folders.push_back(entry->path().lexically_relative(directory).string());
    }
    if (entry.depth() == 1) entry.disable_recursion_pending();
  }
  // Shorter names first: version 10 is after version 9.
  std::sort(folders.begin(), folders.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  if (folders.size() > kMostFolders) folders.erase(folders.begin(), folders.end() - kMostFolders);
  return folders;
}

// Returns the error for a folder without a card, which may be a folder of models.
absl::Status WithoutCard(const std::string& directory, const absl::Status& status) {
  const std::vector<std::string> folders = FoldersWithCards(directory);
  if (folders.empty()) return status;
  const auto shown = [](std::string* out, const std::string& name) { out->append(Shown(name)); };
  return absl::NotFoundError(
      absl::StrCat(status.message(),
                   ". There are models in folders of it: ", absl::StrJoin(folders, ", ", shown),
                   ". Name one of them, as in ", (fs::path(directory) / folders.back()).string()));
}

}  // namespace

absl::StatusOr<ModelCard> LoadModelCard(const std::string& directory) {
  const std::string path = CardIn(directory);
  const absl::StatusOr<std::string> text = ReadFileStart(path, kMaxCardBytes + 1);
  if (absl::IsNotFound(text.status())) return WithoutCard(directory, text.status());
  if (absl::IsFailedPrecondition(text.status()) && IsRegularFile(directory)) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, ": is a file; wanted the folder with model_card.json, which may be ",
        fs::path(directory).parent_path().string(), "/"));
  }
  if (!text.ok()) return text.status();
  if (text->size() > kMaxCardBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is larger than ", kMaxCardBytes, " bytes; wanted a model card"));
  }
  try {
    ModelCard card;
    bool too_deep = false;
    const Json json = Json::parse(*text, [&](int depth, Json::parse_event_t, const Json&) {
      too_deep |= depth > kMaxCardDepth;
      return !too_deep;
    });
    if (too_deep) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is nested more than ", kMaxCardDepth,
                                                     " deep; wanted a model card"));
    }
    if (absl::Status status = ReadModelCard(path, json, card); !status.ok()) return status;
    return card;
  } catch (const Json::exception& error) {
    // The parser's message quotes the text unchanged, whatever its length.
    constexpr std::size_t kMaxShown = 256;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": found ", Shown(error.what(), kMaxShown), "; wanted a JSON object"));
  }
}

std::string CompareWithWeights(const std::string& sha256, ModelCard& card) {
  std::string difference;
  card.of_other_weights = !card.weights_sha256.empty() && card.weights_sha256 != sha256;
  if (card.of_other_weights) {
    difference = absl::StrCat(
        "the model card is not of these weights, so its test accuracy and labels may be wrong: it "
        "holds the SHA-256 ",
        card.weights_sha256, ", and ", card.weights, " has ", sha256);
  }
  card.weights_sha256 = sha256;
  return difference;
}

ModelCard CardWithDefaults(const std::string& path, int classes, const std::string& sha256) {
  const std::filesystem::path file = std::filesystem::path(path).filename();
  ModelCard card;
  card.name = file.has_stem() ? file.stem().string() : file.string();
  card.version = std::string("1");
  card.weights = file.string();
  card.weights_sha256 = sha256;
  for (int c = 0; c < classes; ++c) card.class_labels.push_back(absl::StrCat(c));
  return card;
}

absl::Status CheckLabelsFit(const ModelCard& card, const Weights& weights) {
  if (card.class_labels.size() == static_cast<std::size_t>(weights.classes())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the card of model ", card.name, " has ", card.class_labels.size(), " class_labels; wanted ",
      weights.classes(), ", one for each row of ", kClassWeights, " in ", card.weights));
}

}  // namespace hellocnn
