// hellocnn model create: out of a weight file, a folder that a server serves.
#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "cli/commands/mending.h"
#include "cli/commands/model_commands.h"
#include "cli/models/create_version.h"
#include "datasets/class_labels.h"
#include "hellocnn/model_card.h"
#include "loadgen/report/json.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Reads weights in every format that a server reads, checks them as a server does,
and writes a folder with the weights, a model card and golden images, at once or
not at all. An existing version is never changed.

With --data, the accuracy is measured, and the golden images are images that the
model classifies rightly. The card claims a test accuracy only if it was measured
on a test set. Without --data, the golden images are drawn strokes.

Examples:
  hellocnn model create --weights model.pt --output models/mnist/2
  hellocnn model create --weights model.pt --data data/mnist-test --output models/mnist/2
  hellocnn model create --weights letters.pt --labels-file labels.txt --output models/letters/1
  hellocnn model create --weights model.pt --mean 0.5 --standard-deviation 0.5 --output models/mnist/2)";

struct Options {
  CreateRequest request;
  std::string labels;
  std::string labels_file;
  std::string normalization = "mnist";
  std::string format = "safetensors";
  bool json = false;
};

// Returns the labels that the user has given, or none.
absl::StatusOr<std::vector<std::string>> LabelsOf(const Options& options) {
  if (!options.labels_file.empty()) return ReadClassLabels(options.labels_file);
  if (options.labels.empty()) return std::vector<std::string>();
  std::vector<std::string> labels = absl::StrSplit(options.labels, ',');
  if (absl::Status good = CheckClassLabels("--labels", labels); !good.ok()) return good;
  return labels;
}

Json AccuracyToJson(const std::optional<Accuracy>& accuracy, const std::string& part) {
  if (!accuracy.has_value()) return nullptr;
  return {{"part", part},
          {"images", accuracy->images},
          {"correct", accuracy->correct},
          {"accuracy", accuracy->share()},
          {"confusion", accuracy->confusion}};
}

void PrintJson(const Options& options, const CreatedVersion& created) {
  const ModelCard& card = created.card;
  const Json document = {
      {"path", options.request.output},
      {"name", card.name},
      {"version", card.version},
      {"class_labels", card.class_labels},
      {"weights", card.weights},
      {"weights_sha256", card.weights_sha256},
      {"preprocessing",
       {{"content_size", card.content_size},
        {"padding", card.padding},
        {"mean", card.normalization.mean},
        {"standard_deviation", card.normalization.standard_deviation}}},
      {"evaluation", AccuracyToJson(created.accuracy, ToString(options.request.data.load.part))},
      {"golden_images", CountGoldenImages(card)},
      {"notes", created.notes}};
  std::cout << load::DumpJson(document, 2) << "\n";
}

// Returns what was measured, in words.
std::string AccuracyInWords(const Options& options, const CreatedVersion& created) {
  if (!created.accuracy.has_value()) return "not measured, so the card claims none";
  std::string counts =
      absl::StrFormat("%s of %s images right, %.2f%%", load::Grouped(created.accuracy->correct),
                      load::Grouped(created.accuracy->images), 100 * created.accuracy->share());
  if (created.is_of_test_set) return counts;
  if (options.request.data.load.part == DataPart::kTraining) {
    return absl::StrCat(counts, "; of a training set, so the card claims none");
  }
  return absl::StrCat(counts,
                      "; the data has no test part, so the card claims none, unless --part test "
                      "says that all of it is a test set");
}

void PrintText(const Options& options, const CreatedVersion& created) {
  constexpr std::size_t kIndent = 16;
  const ModelCard& card = created.card;
  const auto print = [](const std::string& label, const std::string& text) {
    std::cout << load::Wrapped(label, text, kIndent);
  };
  print("version", absl::StrCat(card.name, "/", card.version, " in ", options.request.output));
  print("weights", absl::StrCat(card.weights, " of ", options.request.weights));
  for (const std::string& note : created.notes) print("  note", note);
  print("classes",
        absl::StrCat(card.class_labels.size(), ": ", card.class_labels.front(),
                     card.class_labels.size() == 2 ? ", " : " to ", card.class_labels.back()));
  print("normalization",
        absl::StrFormat("mean %.6g, standard deviation %.6g", card.normalization.mean,
                        card.normalization.standard_deviation));
  print("engine", "simd agrees with the network in double precision");
  print("accuracy", AccuracyInWords(options, created));
  print("golden images", absl::StrCat(CountGoldenImages(card)));
}

int Run(const Options& options) {
  CreateRequest request = options.request;
  absl::StatusOr<std::vector<std::string>> labels = LabelsOf(options);
  if (!labels.ok()) return Fail(labels.status());
  request.class_labels = *std::move(labels);
  request.weights_ending = "." + options.format;
  request.measure_normalization = options.normalization == "from-data";
  const absl::StatusOr<CreatedVersion> created = CreateVersion(request);
  if (!created.ok()) return Fail(created.status());
  options.json ? PrintJson(options, *created) : PrintText(options, *created);
  std::cout << std::flush;
  if (created->accuracy.has_value() && created->accuracy->share() < kSuspiciousAccuracy) {
    std::cerr << "hellocnn: hint: few images are right; --invert, --transpose, another "
                 "normalization or another order of the labels may be what is missing\n";
  }
  return kExitOk;
}

// Checks a number that a model card stores as float32.
CLI::Validator NumberFrom(float least, const std::string& wanted) {
  return CLI::Validator(
      [least, wanted](const std::string& text) {
        float number = 0;
        const bool good =
            absl::SimpleAtof(text, &number) && std::isfinite(number) && number >= least;
        return good ? std::string() : "'" + text + "' is not " + wanted;
      },
      "", "number");
}

std::string CheckContentSize(const std::string& text) {
  int size = 0;
  if (absl::SimpleAtoi(text, &size) && size >= 2 && size <= kImageSide && size % 2 == 0) return "";
  return "'" + text + "' is not an even number from 2 to 32";
}

void AddPreprocessingOptions(CLI::App& command, Options& options) {
  CLI::Option* const normalization =
      command.add_option("--normalization", options.normalization,
                         "mean and standard deviation: MNIST's, or those of the images of --data");
  normalization->check(CLI::IsMember({"mnist", "from-data"}))
      ->type_name("WHICH")
      ->capture_default_str();
  command
      .add_option("--mean", options.request.mean, "mean of the grey levels, 0 to 1, in training")
      ->check(NumberFrom(std::numeric_limits<float>::lowest(), "a finite number"))
      ->type_name("X")
      ->excludes(normalization);
  command
      .add_option("--standard-deviation", options.request.standard_deviation,
                  "standard deviation of the grey levels in training")
      ->check(NumberFrom(std::numeric_limits<float>::min(), "a finite number greater than 0"))
      ->type_name("X")
      ->excludes(normalization);
  command
      .add_option("--content-size", options.request.content_size,
                  "rows and columns of the images within the network's 32; the rest is padding")
      ->check(CLI::Validator(CheckContentSize, "", "size"))
      ->type_name("N")
      ->capture_default_str();
}

void AddCardOptions(CLI::App& command, Options& options) {
  command
      .add_option("--name", options.request.name,
                  "name of the model; NAME of models/NAME/1 by default")
      ->type_name("NAME");
  command
      .add_option("--version-label", options.request.version,
                  "version of the model; the last part of --output by default")
      ->type_name("VERSION");
  CLI::Option* const labels = command.add_option("--labels", options.labels,
                                                 "labels of the classes by index, as in a,b,c; by "
                                                 "default those that the data name, or numbers");
  labels->check(CLI::Validator(CheckNotEmpty, "", "labels"))->type_name("LABELS");
  command.add_option("--labels-file", options.labels_file, "file with a label on each line")
      ->check(CLI::Validator(CheckNotEmpty, "", "file"))
      ->type_name("FILE")
      ->excludes(labels);
}

}  // namespace

void AddModelCreate(CLI::App& model, Action& action) {
  CLI::App* command =
      model.add_subcommand("create", "Makes a version that can be served out of a weight file");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("--weights", options->request.weights, "the weights, as PyTorch saved them")
      ->required()
      ->type_name("FILE");
  command->add_option("--output", options->request.output, "the new folder, as models/NAME/1")
      ->required()
      ->type_name("DIR");
  AddCardOptions(*command, *options);
  AddDataOptions(*command, options->request.data);
  AddPreprocessingOptions(*command, *options);
  command
      ->add_option("--golden-images", options->request.golden_images,
                   "most golden images; one for each class up to 16 by default")
      ->check(CLI::Range(std::size_t{0}, kMaxGoldenImages))
      ->type_name("N");
  command->add_option("--format", options->format, "format of the weights that are written")
      ->check(CLI::IsMember({"safetensors", "pt"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command->add_flag("--allow-degenerate-model", options->request.allow_degenerate,
                    "make a version even if every image gets the same class");
  AddOutputOption(*command, options->json, "--output-format");
  command->callback([&action, options] {
    if (options->normalization == "from-data" && options->request.data.where.empty()) {
      throw CLI::ValidationError("--normalization", "from-data needs --data");
    }
    action = WithoutServer("hellocnn model create", [options] { return Run(*options); });
  });
}

}  // namespace hellocnn::cli
