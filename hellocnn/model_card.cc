#include "hellocnn/model_card.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxCardBytes = std::size_t{1} << 20;
constexpr char kTestAccuracy[] = "test_accuracy";  // optional
// More than a card needs, but small enough to show any part of the card in an error.
constexpr int kMaxCardDepth = 16;

// Reads the members of a card. Every error names the file and the member.
class CardReader {
 public:
  explicit CardReader(const std::string& path) : path_(path) {}

  absl::Status Read(const Json& json, ModelCard& card) {
    if (!json.is_object()) return Wrong("the document", json, "an object");
    ReadText(json, "name", card.name);
    ReadText(json, "version", card.version);
    ReadText(json, "weights", card.weights);
    if (status_.ok() && (card.weights.find('/') != std::string::npos || card.weights == "." ||
                         card.weights == "..")) {
      return Wrong("weights", json["weights"], "the name of a file in the card's own folder");
    }
    ReadSha256(json, card);
    ReadLabels(json, card);
    if (json.contains(kTestAccuracy)) {
      ReadNumber(json, kTestAccuracy, 0, 1, "a number from 0 to 1", card.test_accuracy.emplace());
    }
    const Json* preprocessing = Find(json, "preprocessing");
    if (preprocessing == nullptr) return status_;
    if (!preprocessing->is_object()) return Wrong("preprocessing", *preprocessing, "an object");
    prefix_ = "preprocessing.";
    ReadPreprocessing(*preprocessing, card);
    return status_;
  }

 private:
  absl::Status Wrong(const std::string& member, const Json& found, const std::string& wanted) {
    if (!status_.ok()) return status_;
    constexpr std::size_t kShown = 80;
    std::string shown = found.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (shown.size() > kShown) shown = absl::StrCat(shown.substr(0, kShown), "…");
    status_ = absl::InvalidArgumentError(
        absl::StrCat(path_, ": ", prefix_, member, " is ", shown, "; wanted ", wanted));
    return status_;
  }

  // Returns the member. Returns null, with the status set, if there is no such member or there was
  // an earlier error.
  const Json* Find(const Json& object, const std::string& member) {
    if (!status_.ok()) return nullptr;
    const auto found = object.find(member);
    if (found != object.end()) return &*found;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(path_, ": ", prefix_, member, " is missing; wanted a value for it"));
    return nullptr;
  }

  void ReadText(const Json& object, const std::string& member, std::string& text) {
    const Json* found = Find(object, member);
    if (found == nullptr) return;
    if (found->is_string()) text = found->get<std::string>();
    if (text.empty()) Wrong(member, *found, "a string that is not empty").IgnoreError();
    // Names are used in paths and metrics, where a NUL would truncate them.
    if (text.find('\0') != std::string::npos) {
      Wrong(member, *found, "a string without NUL").IgnoreError();
    }
  }

  void ReadSha256(const Json& object, ModelCard& card) {
    constexpr std::size_t kDigits = 64;
    if (!object.contains(kWeightsSha256)) return;
    ReadText(object, kWeightsSha256, card.weights_sha256);
    if (!status_.ok()) return;
    absl::AsciiStrToLower(&card.weights_sha256);
    if (card.weights_sha256.size() != kDigits ||
        !std::all_of(card.weights_sha256.begin(), card.weights_sha256.end(),
                     absl::ascii_isxdigit)) {
      Wrong(kWeightsSha256, object[kWeightsSha256],
            absl::StrCat(kDigits, " hexadecimal digits, as sha256sum prints them"))
          .IgnoreError();
    }
  }

  void ReadLabels(const Json& object, ModelCard& card) {
    const Json* found = Find(object, "class_labels");
    if (found == nullptr) return;
    const std::string wanted =
        absl::StrCat("an array of ", kMinClasses, " to ", kMaxClasses, " strings, none empty");
    if (!found->is_array()) return Wrong("class_labels", *found, wanted).IgnoreError();
    if (found->size() < kMinClasses || found->size() > kMaxClasses) {
      return Wrong("class_labels", *found, absl::StrCat(wanted, ", not ", found->size()))
          .IgnoreError();
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < found->size(); ++i) {
      const Json& label = (*found)[i];
      const std::string text = label.is_string() ? label.get<std::string>() : "";
      // Labels distinguish the series of a metric, so they must differ.
      if (text.empty() || text.find('\0') != std::string::npos || !seen.insert(text).second) {
        return Wrong(absl::StrCat("class_labels[", i, "]"), label,
                     "a string that is not empty, has no NUL and is not there before")
            .IgnoreError();
      }
      card.class_labels.push_back(text);
    }
  }

  // The bounds are compared as doubles. Every bound is a whole number or a float, which a double
  // represents exactly.
  void ReadNumber(const Json& object, const std::string& member, double least, double most,
                  const std::string& wanted, double& number) {
    const Json* found = Find(object, member);
    if (found == nullptr) return;
    const double value =
        found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(value >= least && value <= most)) return Wrong(member, *found, wanted).IgnoreError();
    number = value;
  }

  void ReadCount(const Json& object, const std::string& member, int least, int& count) {
    const std::string wanted = absl::StrCat("a whole number from ", least, " to ", kImageSide);
    double number = 0;
    ReadNumber(object, member, least, kImageSide, wanted, number);
    if (!status_.ok()) return;
    if (!object[member].is_number_integer()) Wrong(member, object[member], wanted).IgnoreError();
    count = static_cast<int>(number);
  }

  void ReadPreprocessing(const Json& object, ModelCard& card) {
    ReadCount(object, "content_size", 1, card.content_size);
    ReadCount(object, "padding", 0, card.padding);
    if (status_.ok() && card.content_size + 2 * card.padding != kImageSide) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(path_, ": preprocessing.content_size + 2 * preprocessing.padding is ",
                       card.content_size, " + 2 * ", card.padding, " = ",
                       card.content_size + 2 * card.padding, "; wanted ", kImageSide));
    }
    // These numbers are stored as floats later, so they must lie within the range of a float.
    constexpr double kMost = std::numeric_limits<float>::max();
    constexpr double kLeastPositive = std::numeric_limits<float>::min();
    double mean = 0;
    double deviation = 1;
    ReadNumber(object, "mean", -kMost, kMost, "a finite float32", mean);
    ReadNumber(object, "standard_deviation", kLeastPositive, kMost,
               "a finite float32 greater than 0", deviation);
    card.normalization = {static_cast<float>(mean), static_cast<float>(deviation)};
  }

  const std::string& path_;
  std::string prefix_;
  absl::Status status_;
};

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
    if (absl::Status status = CardReader(path).Read(json, card); !status.ok()) return status;
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
