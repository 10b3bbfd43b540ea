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
#include "cli/app.h"
#include "cli/commands/evaluation.h"
#include "cli/images/fit.h"
#include "hellocnn/data/idx.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Reads t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, gzipped or not. A full queue (RESOURCE_EXHAUSTED) is
waited out; any other error ends the run.

Examples:
  hellocnn evaluate --data data/mnist-test
  hellocnn evaluate --data data/mnist-test --limit 1000 --batch 1 --concurrency 32
  hellocnn evaluate --data data/mnist-test --output json | jq .accuracy)";

constexpr int kDefaultBatch = 64;

struct Options {
  std::string data;
  std::int64_t limit = 0;  // 0: all
  int batch = 0;           // 0: a suitable number
  int concurrency = 4;
  bool json = false;
};

void PrintJson(const Evaluation& evaluation, const client::ModelInfo& model, double rate) {
  const Json document = {{"model", {{"name", model.name}, {"version", model.version}}},
                         {"images", evaluation.images},
                         {"correct", evaluation.correct},
                         {"accuracy", static_cast<double>(evaluation.correct) /
                                          static_cast<double>(evaluation.images)},
                         {"confusion", evaluation.confusion},
                         {"elapsed_seconds", absl::ToDoubleSeconds(evaluation.elapsed)},
                         {"images_per_second", rate},
                         {"retries", evaluation.retries}};
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void PrintText(const Evaluation& evaluation, const client::ModelInfo& model, double rate) {
  std::cout << absl::StrFormat("%s/%s: %s of %s right, %.2f%%\n\n", model.name, model.version,
                               Grouped(evaluation.correct), Grouped(evaluation.images),
                               100.0 * static_cast<double>(evaluation.correct) /
                                   static_cast<double>(evaluation.images))
            << Render(evaluation.confusion, model.labels)
            << absl::StrFormat("\n%s images/s, %s in all", Grouped(static_cast<std::int64_t>(rate)),
                               Short(evaluation.elapsed));
  if (evaluation.retries > 0)
    std::cout << ", " << Grouped(evaluation.retries) << " calls repeated (queue full)";
  std::cout << "\n";
}

// Returns the labelled images, fitted to what `model` expects.
absl::StatusOr<std::vector<client::Image>> Fit(const LabeledImages& set,
                                               const client::ModelInfo& model) {
  std::vector<client::Image> images;
  images.reserve(set.labels.size());
  const std::ptrdiff_t pixels = std::ptrdiff_t{set.rows} * set.columns;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const auto from = set.pixels.begin() + i * pixels;
    absl::StatusOr<client::Image> image =
        ToImage(Picture{set.columns, set.rows, {from, from + pixels}, {}}, model.preprocessing);
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  return images;
}

int Run(const GlobalOptions& global, const Options& options) {
  absl::StatusOr<LabeledImages> set = ReadMnist(options.data, "t10k");
  if (!set.ok()) return Fail(set.status());
  if (options.limit > 0 && options.limit < set->count()) {
    set->labels.resize(static_cast<std::size_t>(options.limit));
  }
  if (set->count() == 0)
    return Fail(absl::InvalidArgumentError(options.data + ": the test set is empty"));
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::ModelInfo> model = client->GetModel();
  if (!model.ok()) return Fail(model.status());
  const int most = std::max(1, model->limits.max_images_per_request);
  if (options.batch > most) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        "--batch is ", options.batch, "; the server takes at most ", most, " images a request")));
  }
  const absl::StatusOr<std::vector<client::Image>> images = Fit(*set, *model);
  if (!images.ok()) return Fail(images.status());

  EvaluationOptions evaluation_options;
  evaluation_options.classes = static_cast<int>(model->labels.size());
  evaluation_options.batch = options.batch > 0 ? options.batch : std::min(kDefaultBatch, most);
  evaluation_options.concurrency = options.concurrency;
  const bool draw_progress = isatty(STDERR_FILENO) == 1;
  const Instant start = Clock::Monotonic()->Now();
  Instant drawn = Instant::InfinitePast();
  const absl::StatusOr<Evaluation> evaluation =
      Evaluate(*client, *images, set->labels, evaluation_options, [&](std::int64_t done) {
        const Instant now = Clock::Monotonic()->Now();
        if (!draw_progress || now - drawn < absl::Milliseconds(100)) return;
        drawn = now;
        std::cerr << "\r\x1b[K" << ProgressLine(done, set->count(), now - start) << std::flush;
      });
  if (draw_progress) std::cerr << "\r\x1b[K" << std::flush;
  if (!evaluation.ok()) return Fail(evaluation.status());
  const double rate =
      static_cast<double>(evaluation->images) / absl::ToDoubleSeconds(evaluation->elapsed);
  options.json ? PrintJson(*evaluation, *model, rate) : PrintText(*evaluation, *model, rate);
  return kExitOk;
}

}  // namespace

void AddEvaluate(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("evaluate", "Measures accuracy over MNIST's test set");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("--data", options->data, "folder of the IDX files")
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
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = [&global, options] { return Run(global, *options); };
  });
}

}  // namespace hellocnn::cli
