// hellocnn evaluate: how many of a labelled test set does the served model get right?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/evaluation.h"
#include "cli/commands/mending.h"
#include "cli/commands/model_option.h"
#include "cli/terminal.h"
#include "hellocnn/data/dataset_files.h"
#include "hellocnn/data/idx.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Finds the test set of MNIST, FashionMNIST, KMNIST, QMNIST or EMNIST in the folder
or below it, gzipped or not. If a folder has several sets, --data also takes the
name of one: data/emnist-digits. A full queue (RESOURCE_EXHAUSTED) is waited out;
any other error ends the run.

Examples:
  hellocnn evaluate --data data/mnist-test
  hellocnn evaluate --data data/mnist-test --limit 1000 --batch 1 --concurrency 32
  hellocnn evaluate --data data/mnist-test --model mnist --model-version 2
  hellocnn evaluate --data data/mnist-test --output json | jq .accuracy)";

constexpr int kDefaultBatch = 64;

struct Options {
  std::string data;
  std::int64_t limit = 0;  // 0: all
  int batch = 0;           // 0: a suitable number
  int concurrency = 4;
  client::ModelVersion model;
  Presentation mending;  // what is done to the images first
  bool json = false;
};

void PrintJson(const Evaluation& evaluation, const client::ModelInfo& model, double rate) {
  const Json document = {{"model", {{"name", model.name}, {"version", model.version}}},
                         {"images", evaluation.images},
                         {"correct", evaluation.correct},
                         {"accuracy", evaluation.accuracy()},
                         {"confusion", evaluation.confusion},
                         {"elapsed_seconds", absl::ToDoubleSeconds(evaluation.elapsed)},
                         {"images_per_second", rate},
                         {"retries", evaluation.retries}};
  std::cout << load::DumpJson(document, 2) << "\n";
}

void PrintText(const Evaluation& evaluation, const client::ModelInfo& model, double rate) {
  std::cout << absl::StrFormat("%s/%s: %s of %s right, %.2f%%\n\n", Printable(model.name),
                               Printable(model.version), Grouped(evaluation.correct),
                               Grouped(evaluation.images), 100 * evaluation.accuracy())
            << Render(evaluation.confusion, model.labels)
            << absl::StrFormat("\n%s images/s, %s in all", Grouped(static_cast<std::int64_t>(rate)),
                               Short(evaluation.elapsed));
  if (evaluation.retries > 0)
    std::cout << ", " << Grouped(evaluation.retries) << " calls repeated (queue full)";
  std::cout << "\n";
}

int Run(const GlobalOptions& global, const Options& options) {
  // Before the server is asked for anything.
  const absl::StatusOr<DatasetFiles> files = FindDatasetFiles(options.data, "t10k");
  if (!files.ok()) return Fail(files.status());
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::ModelInfo> model = AskForModel(*client, options.model);
  if (!model.ok()) return Fail(model.status());
  const int most = std::max(1, model->limits.max_images_per_request);
  if (options.batch > most) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        "--batch is ", options.batch, "; the server takes at most ", most, " images a request")));
  }
  // Only now: the labels must be those of the model's classes.
  const int classes = static_cast<int>(model->labels.size());
  absl::StatusOr<LabeledImages> set = ReadMnist(options.data, "t10k", classes);
  if (!set.ok()) return Fail(set.status());
  if (options.limit > 0 && options.limit < set->count()) {
    set->labels.resize(static_cast<std::size_t>(options.limit));
    set->pixels.resize(set->labels.size() * static_cast<std::size_t>(set->rows) * set->columns);
  }
  if (set->count() == 0)
    return Fail(absl::InvalidArgumentError(options.data + ": the test set is empty"));
  Mend(options.mending, *set);
  const absl::StatusOr<std::vector<client::Image>> images = Fit(*set, model->preprocessing);
  if (!images.ok()) return Fail(images.status());

  EvaluationOptions evaluation_options;
  evaluation_options.classes = classes;
  evaluation_options.batch = options.batch > 0 ? options.batch : std::min(kDefaultBatch, most);
  evaluation_options.concurrency = options.concurrency;
  evaluation_options.model = options.model;
  const bool draw_progress = isatty(STDERR_FILENO) == 1;
  StatusLine line(draw_progress);
  const Instant start = Clock::Monotonic()->Now();
  Instant drawn = Instant::InfinitePast();
  const absl::StatusOr<Evaluation> evaluation =
      Evaluate(*client, *images, set->labels, evaluation_options, [&](std::int64_t done) {
        const Instant now = Clock::Monotonic()->Now();
        if (!draw_progress || now - drawn < absl::Milliseconds(100)) return;
        drawn = now;
        line.Draw(ProgressLine(done, set->count(), now - start).substr(0, TerminalColumns() - 1));
      });
  line.Clear();
  if (!evaluation.ok()) return Fail(evaluation.status());
  const double rate =
      static_cast<double>(evaluation->images) / absl::ToDoubleSeconds(evaluation->elapsed);
  options.json ? PrintJson(*evaluation, *model, rate) : PrintText(*evaluation, *model, rate);
  std::cout << std::flush;
  const std::string hint = FindMending(*client, *set, *model, evaluation->accuracy(),
                                       options.mending, evaluation_options);
  if (!hint.empty()) std::cerr << "hellocnn: hint: " << hint << "\n";
  return kExitOk;
}

}  // namespace

void AddEvaluate(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("evaluate", "Measures accuracy over MNIST's test set");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command
      ->add_option("--data", options->data, "folder with a test set, or the name of a set in one")
      ->required()
      ->type_name("DIR");
  command->add_option("--limit", options->limit, "only the first N images; all by default")
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
  AddMendingOptions(*command, options->mending);
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = {[&global, options] { return Run(global, *options); }};
  });
}

}  // namespace hellocnn::cli
