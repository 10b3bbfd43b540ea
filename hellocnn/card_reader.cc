#include "hellocnn/card_reader.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

// Members that are optional.
constexpr char kTestAccuracy[] = "test_accuracy";
constexpr char kGolden[] = "golden";

// Reads the members of a card. Every error names the file and the member.
class CardReader {
 public:
  explicit CardReader(const std::string& path) : path_(path) {}

  absl::Status Read(const Json& json, ModelCard& card) {
    if (!json.is_object()) return Wrong("the document", json, "an object");
    ReadText(json, "name", card.name);
    ReadText(json, "version", card.version);
    ReadFileName(json, "weights", card.weights);
    ReadSha256(json, card);
    ReadLabels(json, card);
    if (json.contains(kTestAccuracy)) {
      ReadNumber(json, kTestAccuracy, 0, 1, "a number from 0 to 1", card.test_accuracy.emplace());
    }
    ReadGolden(json, card);
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

  void ReadFileName(const Json& object, const std::string& member, std::string& name) {
    ReadText(object, member, name);
    if (!status_.ok()) return;
    if (name.find('/') != std::string::npos || name == "." || name == "..") {
      Wrong(member, object[member], "the name of a file in the card's own folder").IgnoreError();
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

  void ReadGolden(const Json& object, ModelCard& card) {
    const auto golden = object.find(kGolden);
    if (!status_.ok() || golden == object.end()) return;
    if (!golden->is_object()) return Wrong(kGolden, *golden, "an object").IgnoreError();
    prefix_ = "golden.";
    GoldenImages& images = card.golden.emplace();
    ReadFileName(*golden, "images", images.images);
    const Json* rows = Find(*golden, "log_probabilities");
    if (rows == nullptr) return;
    if (!rows->is_array() || rows->empty() || rows->size() > kMaxGoldenImages) {
      return Wrong("log_probabilities", *rows,
                   absl::StrCat("an array with one array for each image, 1 to ", kMaxGoldenImages))
          .IgnoreError();
    }
    for (std::size_t i = 0; i < rows->size() && status_.ok(); ++i) {
      ReadGoldenRow((*rows)[i], absl::StrCat("log_probabilities[", i, "]"), card);
    }
    prefix_.clear();
  }

  void ReadGoldenRow(const Json& row, const std::string& member, ModelCard& card) {
    const std::size_t classes = card.class_labels.size();
    if (!row.is_array() || row.size() != classes) {
      return Wrong(member, row,
                   absl::StrCat("an array of ", classes, " numbers, one for each class"))
          .IgnoreError();
    }
    std::vector<double>& values = card.golden->log_probabilities.emplace_back();
    for (const Json& value : row) {
      values.push_back(value.is_number() ? value.get<double>() : 1);
      // A float32 that should be 0 may lie a little above.
      constexpr double kAlmostZero = 1e-6;
      if (!(values.back() <= kAlmostZero && values.back() >= -std::numeric_limits<float>::max())) {
        return Wrong(member, value, "finite logarithms of probabilities, so none above 0")
            .IgnoreError();
      }
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

}  // namespace

absl::Status ReadModelCard(const std::string& path, const Json& json, ModelCard& card) {
  return CardReader(path).Read(json, card);
}

}  // namespace hellocnn
