// hellocnn model diff: what differs between two versions?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/commands/comparison.h"
#include "cli/commands/load_images_options.h"
#include "cli/commands/model_commands.h"
#include "cli/models/labelled_data.h"
#include "cli/models/offline_model.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "hellocnn/topology.h"
#include "loadgen/report/json.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
A and B are folders of versions, or weight files. With --data, both classify the
same images. McNemar's test then says how likely such a difference is if both are
equally good, and the images whose class differs are drawn.

Examples:
  hellocnn model diff models/mnist/1 models/mnist/2
  hellocnn model diff models/mnist/1 models/mnist/2 --data data/mnist-test --pictures 8
  hellocnn model diff models/mnist/1 model.pt --output json | jq .weights)";

struct Options {
  std::string a;
  std::string b;
  DataOptions data;
  int pictures = 4;
  bool json = false;
};

// How the values of one tensor differ.
struct TensorDifference {
  std::string name;
  std::vector<std::int64_t> shape_of_a;
  std::vector<std::int64_t> shape_of_b;
  std::size_t differing = 0;  // values; 0 if the shapes differ
  double largest = 0;         // distance of two values; 0 if the shapes differ
};

TensorDifference CompareTensors(const TensorSpec& spec, const Tensor& a, const Tensor& b) {
  TensorDifference difference{spec.name, a.shape, b.shape};
  if (a.shape != b.shape) return difference;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a.values[i]) - b.values[i]);
    difference.differing += apart > 0 ? 1 : 0;
    difference.largest = std::max(difference.largest, apart);
  }
  return difference;
}

std::vector<TensorDifference> CompareWeights(const Weights& a, const Weights& b) {
  std::vector<TensorDifference> differences;
  for (const TensorSpec& spec : WeightTensors(a.classes())) {
    differences.push_back(
        CompareTensors(spec, a.tensors().at(spec.name), b.tensors().at(spec.name)));
  }
  return differences;
}

// Two models, and what they say of the data if there are data.
struct Pair {
  OfflineModel a;
  OfflineModel b;
  std::vector<std::uint8_t> grey;  // as A sees the images
  std::optional<Comparison> comparison;
};

absl::StatusOr<std::vector<int>> Classify(const OfflineModel& model, const LabeledImages& set,
                                          std::vector<std::uint8_t>* kept) {
  absl::StatusOr<std::vector<std::uint8_t>> grey = FitToCard(set, model.card);
  if (!grey.ok()) return grey.status();
  ProgressBar bar(set.count());
  absl::StatusOr<std::vector<int>> classes = ClassifyAll(model.engines, *grey, bar.AsProgress());
  if (kept != nullptr) *kept = *std::move(grey);
  return classes;
}

absl::Status CompareOverData(const Options& options, Pair& pair) {
  const int classes = pair.a.weights.classes();
  if (classes != pair.b.weights.classes()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.a, " has ", classes, " classes, and ", options.b, " has ", pair.b.weights.classes(),
        "; wanted as many in both to compare them over --data"));
  }
  if (pair.a.card.class_labels != pair.b.card.class_labels) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.a, " and ", options.b,
                     " have other labels, or the same in another order; wanted the same in both to "
                     "compare them over --data"));
  }
  const absl::StatusOr<LoadedImages> data =
      LoadLabelledData(options.data, pair.a.card.class_labels, classes);
  if (!data.ok()) return data.status();
  PrintNotes(*data);
  const absl::StatusOr<std::vector<int>> of_a = Classify(pair.a, data->images, &pair.grey);
  if (!of_a.ok()) return of_a.status();
  const absl::StatusOr<std::vector<int>> of_b = Classify(pair.b, data->images, nullptr);
  if (!of_b.ok()) return of_b.status();
  pair.comparison = Compare(data->images.labels, *of_a, *of_b);
  return absl::OkStatus();
}

std::string PreprocessingInWords(const ModelCard& card) {
  return absl::StrFormat("content %d, padding %d, mean %.6g, standard deviation %.6g",
                         card.content_size, card.padding, card.normalization.mean,
                         card.normalization.standard_deviation);
}

std::string AccuracyInWords(const ModelCard& card) {
  return card.test_accuracy.has_value() ? absl::StrFormat("%.2f%%", 100 * *card.test_accuracy)
                                        : "not measured";
}

// Returns "both WHAT" or "A WHAT; B WHAT".
std::string Both(const std::string& a, const std::string& b) {
  return a == b ? absl::StrCat("both ", a) : absl::StrCat("A ", a, "; B ", b);
}

void PrintTensors(const std::vector<TensorDifference>& differences) {
  std::cout << absl::StrFormat("\n%-16s%10s%10s  %s\n", "tensor", "values", "differ",
                               "largest difference");
  for (const TensorDifference& tensor : differences) {
    if (tensor.shape_of_a != tensor.shape_of_b) {
      std::cout << absl::StrFormat("%-16s  shapes differ: %s and %s\n", tensor.name,
                                   ShapeToString(tensor.shape_of_a),
                                   ShapeToString(tensor.shape_of_b));
      continue;
    }
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    std::cout << absl::StrFormat(
        "%-16s%10s%10s  %.3g\n", tensor.name, load::Grouped(CountValues(tensor.shape_of_a, kMost)),
        load::Grouped(static_cast<std::int64_t>(tensor.differing)), tensor.largest);
  }
}

void PrintText(const Options& options, const Pair& pair) {
  const ModelCard& a = pair.a.card;
  const ModelCard& b = pair.b.card;
  constexpr std::size_t kIndent = 16;
  const auto print = [](const std::string& label, const std::string& text) {
    std::cout << load::Wrapped(label, text, kIndent);
  };
  print("A", absl::StrCat(a.name, "/", a.version, " in ", options.a));
  for (const std::string& note : pair.a.notes) print("  note", note);
  print("B", absl::StrCat(b.name, "/", b.version, " in ", options.b));
  for (const std::string& note : pair.b.notes) print("  note", note);
  print("labels", Both(absl::StrJoin(a.class_labels, " "), absl::StrJoin(b.class_labels, " ")));
  print("preprocessing", Both(PreprocessingInWords(a), PreprocessingInWords(b)));
  print("test accuracy", Both(AccuracyInWords(a), AccuracyInWords(b)));
  PrintTensors(CompareWeights(pair.a.weights, pair.b.weights));
  if (!pair.comparison.has_value()) return;
  const auto picture = [&pair](std::size_t index) {
    return absl::MakeConstSpan(pair.grey).subspan(index * kImagePixels, kImagePixels);
  };
  std::cout << "\n"
            << ToText(*pair.comparison, {.labels = a.class_labels,
                                         .picture = picture,
                                         .pictures = options.pictures,
                                         .style = StyleOf(STDOUT_FILENO),
                                         .columns = TerminalColumns()});
}

Json CardToJson(const std::string& path, const OfflineModel& model) {
  const ModelCard& card = model.card;
  return {{"path", path},
          {"name", card.name},
          {"version", card.version},
          {"class_labels", card.class_labels},
          {"preprocessing",
           {{"content_size", card.content_size},
            {"padding", card.padding},
            {"mean", card.normalization.mean},
            {"standard_deviation", card.normalization.standard_deviation}}},
          {"test_accuracy", card.test_accuracy.has_value() ? Json(*card.test_accuracy) : Json()},
          {"weights_sha256", card.weights_sha256},
          {"notes", model.notes}};
}

void PrintJson(const Options& options, const Pair& pair) {
  Json weights = Json::array();
  for (const TensorDifference& tensor : CompareWeights(pair.a.weights, pair.b.weights)) {
    const bool same_shape = tensor.shape_of_a == tensor.shape_of_b;
    weights.push_back({{"tensor", tensor.name},
                       {"shape_of_a", tensor.shape_of_a},
                       {"shape_of_b", tensor.shape_of_b},
                       {"differing", same_shape ? Json(tensor.differing) : Json()},
                       {"largest_difference", same_shape ? Json(tensor.largest) : Json()}});
  }
  const Json document = {
      {"a", CardToJson(options.a, pair.a)},
      {"b", CardToJson(options.b, pair.b)},
      {"weights", std::move(weights)},
      {"comparison", pair.comparison.has_value() ? ToJson(*pair.comparison) : Json()}};
  std::cout << load::DumpJson(document, 2) << "\n";
}

int Run(const Options& options) {
  absl::StatusOr<OfflineModel> a = LoadOneOfflineModel(options.a);
  if (!a.ok()) return Fail(a.status());
  absl::StatusOr<OfflineModel> b = LoadOneOfflineModel(options.b);
  if (!b.ok()) return Fail(b.status());
  Pair pair{*std::move(a), *std::move(b)};
  if (!options.data.where.empty()) {
    if (absl::Status compared = CompareOverData(options, pair); !compared.ok()) {
      return Fail(compared);
    }
  }
  options.json ? PrintJson(options, pair) : PrintText(options, pair);
  return kExitOk;
}

}  // namespace

void AddModelDiff(CLI::App& model, Action& action) {
  CLI::App* command = model.add_subcommand("diff", "Says what differs between two versions");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("a", options->a, "folder of a version, or a weight file")
      ->required()
      ->type_name("DIR");
  command->add_option("b", options->b, "the same, for the version to compare with")
      ->required()
      ->type_name("DIR");
  AddDataOptions(*command, options->data);
  AddPicturesOption(*command, options->pictures)->needs(command->get_option("--data"));
  AddOutputOption(*command, options->json);
  command->callback([&action, options] {
    action = WithoutServer("hellocnn model diff", [options] { return Run(*options); });
  });
}

}  // namespace hellocnn::cli
