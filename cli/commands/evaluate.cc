// hellocnn evaluate: how many of a labelled test set does the served model get right?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/comparison.h"
#include "cli/commands/evaluation.h"
#include "cli/commands/load_images_options.h"
#include "cli/commands/mending.h"
#include "cli/commands/model_option.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "datasets/labelled_images.h"
#include "hellocnn/data/idx.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
--data takes one of these:
  IDX files of MNIST, FashionMNIST, KMNIST, QMNIST or EMNIST, gzipped or not, in
  the folder or below it; of several sets name one: data/emnist-digits
  a folder with a folder of pictures for each class, named as the class, and
  test/ and train/ above these if there are two parts
  NumPy's arrays: a .npz file or a folder of .npy files, with names such as
  x_test and y_test, or images and labels
A full queue (RESOURCE_EXHAUSTED) is waited out; any other error ends the run.

Examples:
  hellocnn evaluate --data data/mnist-test
  hellocnn evaluate --data data/mnist-test --limit 1000 --batch 1 --concurrency 32
  hellocnn evaluate --data data/mnist-test --model mnist --model-version 2
  hellocnn evaluate --data data/mnist-test --model-version 1 --compare-version 2
  hellocnn evaluate --data data/mnist-test --output json | jq .accuracy)";

constexpr int kDefaultBatch = 64;

struct Options {
  std::string data;
  LoadOptions load;
  int batch = 0;  // 0: a suitable number
  int concurrency = 4;
  client::ModelVersion model;
  std::string compare_version;  // empty: none
  int pictures = 4;
  bool json = false;
};

// A model of the server, and what it says of the images.
struct Evaluated {
  client::ModelInfo model;
  EvaluationOptions options;
  std::vector<client::Image> images;
  Evaluation evaluation;

  double images_per_second() const {
    return static_cast<double>(evaluation.images) / absl::ToDoubleSeconds(evaluation.elapsed);
  }
};

Json ToJson(const Evaluated& evaluated) {
  const Evaluation& evaluation = evaluated.evaluation;
  const client::ModelInfo& model = evaluated.model;
  return {{"model", {{"name", model.name}, {"version", model.version}}},
          {"images", evaluation.images},
          {"correct", evaluation.correct},
          {"accuracy", evaluation.accuracy()},
          {"confusion", evaluation.confusion},
          {"elapsed_seconds", absl::ToDoubleSeconds(evaluation.elapsed)},
          {"images_per_second", evaluated.images_per_second()},
          {"retries", evaluation.retries}};
}

void PrintText(const Evaluated& evaluated) {
  const Evaluation& evaluation = evaluated.evaluation;
  const client::ModelInfo& model = evaluated.model;
  std::cout << absl::StrFormat("%s/%s: %s of %s right, %.2f%%\n\n", Printable(model.name),
                               Printable(model.version), Grouped(evaluation.correct),
                               Grouped(evaluation.images), 100 * evaluation.accuracy())
            << Render(evaluation.confusion, model.labels)
            << absl::StrFormat("\n%s images/s, %s in all",
                               Grouped(static_cast<std::int64_t>(evaluated.images_per_second())),
                               Short(evaluation.elapsed));
  if (evaluation.retries > 0)
    std::cout << ", " << Grouped(evaluation.retries) << " calls repeated (queue full)";
  std::cout << "\n";
}

absl::StatusOr<Evaluated> EvaluateModel(const client::Client& client, const Options& options,
                                        const client::ModelInfo& model,
                                        const client::ModelVersion& asked,
                                        const LabeledImages& set) {
  const int most = std::max(1, model.limits.max_images_per_request);
  if (options.batch > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--batch is ", options.batch, "; the server takes at most ", most, " images a request"));
  }
  absl::StatusOr<std::vector<client::Image>> images = Fit(set, model.preprocessing);
  if (!images.ok()) return images.status();
  const EvaluationOptions evaluation_options{
      .classes = static_cast<int>(model.labels.size()),
      .batch = options.batch > 0 ? options.batch : std::min(kDefaultBatch, most),
      .concurrency = options.concurrency,
      .backoff = {},
      .model = asked};
  ProgressBar bar(set.count());
  absl::StatusOr<Evaluation> evaluation =
      Evaluate(client, *images, set.labels, evaluation_options, bar.AsProgress());
  if (!evaluation.ok()) return evaluation.status();
  return Evaluated{model, evaluation_options, *std::move(images), *std::move(evaluation)};
}

// Evaluates the second version, and prints both and how they differ. Returns the exit code.
int CompareWith(const client::Client& client, const Options& options, const LabeledImages& set,
                const client::ModelInfo& model, const Evaluated& first) {
  const client::ModelVersion asked{first.model.name, options.compare_version};
  const absl::StatusOr<Evaluated> second = EvaluateModel(client, options, model, asked, set);
  if (!second.ok()) return Fail(second.status());
  const Comparison comparison =
      Compare(set.labels, first.evaluation.classes, second->evaluation.classes);
  if (options.json) {
    const Json document = {{"a", ToJson(first)},
                           {"b", ToJson(*second)},
                           {"comparison", hellocnn::cli::ToJson(comparison)}};
    std::cout << load::DumpJson(document, 2) << "\n";
    return kExitOk;
  }
  const auto picture = [&first](std::size_t index) {
    const std::string& bytes = first.images[index].bytes();
    return absl::MakeConstSpan(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  };
  std::cout << "A is " << Printable(first.model.name) << "/" << Printable(first.model.version)
            << ", and B is " << Printable(model.name) << "/" << Printable(model.version) << ".\n\n"
            << ToText(comparison, {.labels = first.model.labels,
                                   .picture = picture,
                                   .pictures = options.pictures,
                                   .style = StyleOf(STDOUT_FILENO),
                                   .columns = TerminalColumns()});
  return kExitOk;
}

// Asks for the version to compare with. FAILED_PRECONDITION: it has other classes.
absl::StatusOr<client::ModelInfo> AskForSecond(const client::Client& client,
                                               const client::ModelInfo& first,
                                               const std::string& version) {
  absl::StatusOr<client::ModelInfo> second = AskForModel(client, {first.name, version});
  if (!second.ok() || second->labels == first.labels) return second;
  if (second->labels.size() == first.labels.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("version ", Printable(first.version), " and version ", Printable(version),
                     " have other labels, or the same in another order; wanted the same in both"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "version ", Printable(first.version), " has ", first.labels.size(), " classes, and version ",
      Printable(version), " has ", second->labels.size(), "; wanted as many in both"));
}

int Run(const GlobalOptions& global, const Options& options) {
  // Before the server is asked for anything.
  const absl::Status found = FindLabelledImages(options.data, options.load);
  if (!found.ok()) return Fail(found);
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::ModelInfo> model = AskForModel(*client, options.model);
  if (!model.ok()) return Fail(model.status());
  absl::StatusOr<client::ModelInfo> second;
  const bool compares = !options.compare_version.empty();
  if (compares) second = AskForSecond(*client, *model, options.compare_version);
  if (compares && !second.ok()) return Fail(second.status());
  // Only now: the labels must be those of the model's classes.
  LoadOptions load = options.load;
  load.class_labels = model->labels;
  const absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(options.data, load);
  if (!loaded.ok()) return Fail(loaded.status());
  PrintNotes(*loaded);
  const LabeledImages& set = loaded->images;
  // Two versions are compared, so the first must be the one whose name is printed.
  const client::ModelVersion asked =
      compares ? client::ModelVersion{model->name, model->version} : options.model;
  const absl::StatusOr<Evaluated> first = EvaluateModel(*client, options, *model, asked, set);
  if (!first.ok()) return Fail(first.status());
  if (compares) return CompareWith(*client, options, set, *second, *first);
  if (options.json) {
    std::cout << load::DumpJson(ToJson(*first), 2) << "\n";
  } else {
    PrintText(*first);
  }
  std::cout << std::flush;
  const std::string hint = FindMending(*client, set, *model, first->evaluation.accuracy(),
                                       options.load.mending, first->options);
  if (!hint.empty()) std::cerr << "hellocnn: hint: " << hint << "\n";
  return kExitOk;
}

}  // namespace

void AddEvaluate(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("evaluate", "Measures accuracy over a labelled test set");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command
      ->add_option("--data", options->data,
                   "folder or .npz file with a test set, or the name of a set in a folder")
      ->required()
      ->type_name("DIR");
  command->add_option("--limit", options->load.limit, "only the first N images; all by default")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command
      ->add_option("--batch", options->batch,
                   "images in a call; 64 or the server's limit by default, whichever is less")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_option("--concurrency", options->concurrency, "calls in flight at most")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  AddModelOptions(*command, options->model);
  CLI::Option* const compare =
      AddVersionOption(*command, "--compare-version", options->compare_version,
                       "another version of the model, to evaluate it as well and compare both");
  AddPicturesOption(*command, options->pictures)->needs(compare);
  AddLoadImagesOptions(*command, options->load);
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = {[&global, options] { return Run(global, *options); }};
  });
}

}  // namespace hellocnn::cli
