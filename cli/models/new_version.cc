#include "cli/models/new_version.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/new_folder.h"
#include "base/version_number.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"

namespace hellocnn::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kGoldenFile[] = "golden-images-idx3-ubyte";

// Returns the path of the version after the highest in the folder of `path`, or "" if that is not
// known.
std::string NextFree(const fs::path& path) {
  const fs::path model = path.parent_path();
  std::string highest;
  std::error_code error;
  fs::directory_iterator entry(model.empty() ? "." : model, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (IsVersionNumber(name) && VersionOrder()(highest, name)) highest = name;
  }
  std::uint32_t number = 0;
  if (error || !absl::SimpleAtoi(highest, &number)) return "";
  return (model / absl::StrCat(std::uint64_t{number} + 1)).string();
}

// Returns the double with the fewest digits that is read as the same float.
double Shortest(float number) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number);
  double shortest = number;
  std::from_chars(text.data(), written.ptr, shortest);
  return shortest;
}

absl::StatusOr<Json> DataOf(const Accuracy& test) {
  Json sums = Json::object();
  for (const std::string& path : test.files) {
    const absl::StatusOr<std::string> sum = Sha256OfFile(path);
    if (!sum.ok()) return sum.status();
    sums[fs::path(path).filename().string()] = *sum;
  }
  return Json{{"sha256", std::move(sums)}};
}

absl::StatusOr<std::string> FormatCard(const ModelCard& card, const NewVersion& version) {
  Json json = {{"name", card.name},
               {"version", card.version},
               {"weights", card.weights},
               {kWeightsSha256, card.weights_sha256},
               {"class_labels", card.class_labels},
               {"preprocessing",
                {{"content_size", card.content_size},
                 {"padding", card.padding},
                 {"mean", Shortest(card.normalization.mean)},
                 {"standard_deviation", Shortest(card.normalization.standard_deviation)}}}};
  if (version.test.has_value()) {
    json["test_accuracy"] = version.test->share();
    json["test_correct"] = version.test->correct;
    json["test_size"] = version.test->images;
    json["confusion_matrix"] = version.test->confusion;
    absl::StatusOr<Json> data = DataOf(*version.test);
    if (!data.ok()) return data.status();
    if (!version.test->files.empty()) json["data"] = *std::move(data);
  }
  if (card.golden.has_value()) {
    json["golden"] = {{"images", card.golden->images},
                      {"log_probabilities", card.golden->log_probabilities}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::Status WriteGolden(const GoldenChoice& golden, const std::string& folder, ModelCard& card) {
  if (golden.log_probabilities.empty()) return absl::OkStatus();
  card.golden = GoldenImages{kGoldenFile, golden.log_probabilities};
  const auto count = static_cast<std::int64_t>(golden.log_probabilities.size());
  return ReplaceFile(absl::StrCat(folder, "/", kGoldenFile),
                     FormatIdx({count, kImageSide, kImageSide}, golden.images));
}

}  // namespace

absl::Status CheckIsNew(const std::string& path) {
  fs::path wanted(path);
  if (!wanted.has_filename()) wanted = wanted.parent_path();  // "models/mnist/1/"
  std::error_code error;
  const fs::file_type type = fs::symlink_status(wanted, error).type();
  if (type == fs::file_type::not_found) return absl::OkStatus();
  if (type == fs::file_type::none) return FileError(error.value(), path, "cannot be looked at");
  const std::string next = NextFree(wanted);
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": is there already, and versions never change; wanted a new folder",
                   next.empty() ? "" : absl::StrCat(", such as ", next)));
}

absl::StatusOr<ModelCard> WriteNewVersion(const NewVersion& version, const Weights& weights,
                                          const std::string& path) {
  if (absl::Status is_new = CheckIsNew(path); !is_new.ok()) return is_new;
  absl::StatusOr<NewFolder> folder = NewFolder::Make(path);
  if (!folder.ok()) return folder.status();
  ModelCard card = version.card;
  const std::string weight_path = absl::StrCat(folder->path(), "/", card.weights);
  if (absl::Status saved = SaveWeightFile(weights, weight_path); !saved.ok()) return saved;
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(weight_path);
  if (!sha256.ok()) return sha256.status();
  card.weights_sha256 = *sha256;
  if (absl::Status written = WriteGolden(version.golden, folder->path(), card); !written.ok()) {
    return written;
  }
  if (version.test.has_value()) card.test_accuracy = version.test->share();
  const absl::StatusOr<std::string> text = FormatCard(card, version);
  if (!text.ok()) return text.status();
  if (absl::Status written = ReplaceFile(folder->path() + "/model_card.json", *text);
      !written.ok()) {
    return written;
  }
  if (absl::Status published = folder->Publish(); !published.ok()) return published;
  return card;
}

}  // namespace hellocnn::cli
