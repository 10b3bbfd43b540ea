// hellocnn classify: which digit is in each picture?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/classification.h"
#include "cli/commands/classify_report.h"
#include "cli/commands/model_option.h"
#include "cli/images/fit.h"
#include "cli/images/image_source.h"
#include "cli/images/render.h"
#include "cli/terminal.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Files may be PNG, JPEG, WebP, PNM (P1 to P6) or IDX (gzipped too), or with --raw
raw pixels. The content tells them apart, not the name. A file may also be a
pipe; - is standard input. Of a folder, all pictures in it are read.

The digit may be of any size and anywhere in the picture, dark on light or light
on dark, and the light may be uneven. --fit mnist does to it what MNIST's makers
did: it finds the ink, scales it to 20 of 28 rows and centres it by its mass.
--fit as-is scales the whole picture. It suits pictures that are like MNIST's
already; the digit must then be light on dark, else say --invert. Images of IDX
files and raw pixels are sent as is unless --fit mnist is given.

The exit code is 1 if a file cannot be read, if the server cannot be reached or
responds with an error, if there is nothing to see in a picture, or if there is
more than one digit.

Examples:
  hellocnn classify digit.png
  hellocnn classify --top 5 scan-*.jpg
  hellocnn classify --model letters --model-version 2 letter.png
  hellocnn classify --output csv photos/ >digits.csv
  find . -name '*.png' -print0 | hellocnn classify --files-from - --output ndjson
  hellocnn classify --index 42 data/mnist-test/t10k-images-idx3-ubyte.gz
  hellocnn classify --output json digit.png | jq '.results[0].label')";

constexpr int kMostClasses = 1024;   // most classes of any model
constexpr std::int64_t kShown = 10;  // images of an IDX file, unless the output is a stream
constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

struct Options {
  std::vector<std::string> files;
  std::string list;
  SourceOptions source;
  FitOptions fit;
  client::ModelVersion model;
  int top = 3;
  ClassifyFormat format = ClassifyFormat::kText;
};

const std::map<std::string, ClassifyFormat> kFormats = {{"text", ClassifyFormat::kText},
                                                        {"json", ClassifyFormat::kJson},
                                                        {"ndjson", ClassifyFormat::kNdjson},
                                                        {"csv", ClassifyFormat::kCsv}};
const std::map<std::string, client::Fit> kFits = {{"mnist", client::Fit::kMnist},
                                                  {"as-is", client::Fit::kAsIs}};

// Writes how far it is to standard error, if that is a terminal and the results are not written to
// one.
class ProgressView {
 public:
  ProgressView() : line_(isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) != 1) {}

  void Add(const ImageResult& result) {
    ++done_;
    const Instant now = Clock::Monotonic()->Now();
    if (now - last_ < kProgressInterval) return;
    last_ = now;
    const double seconds = absl::ToDoubleSeconds(now - start_);
    const std::string figures = absl::StrCat(
        Grouped(done_), " images, ",
        Grouped(static_cast<std::int64_t>(static_cast<double>(done_) / seconds)), " images/s, ");
    // The end of a path tells more than its beginning.
    const std::size_t columns = TerminalColumns() - 1;
    const std::size_t room = columns - std::min(columns, figures.size());
    std::string file = Shown(result.source.file, result.source.file.size());
    if (file.size() > room)
      file = "..." + file.substr(file.size() - room + std::min(room, std::size_t{3}));
    line_.Draw((figures + file).substr(0, columns));
  }

  // Removes the line, before a message.
  void Clear() { line_.Clear(); }

 private:
  StatusLine line_;
  const Instant start_ = Clock::Monotonic()->Now();
  Instant last_ = start_;
  std::int64_t done_ = 0;
};

// Returns what the user of a file may want to know, once for each file: whole messages, without
// line ends.
std::vector<std::string> Advice(const ImageResult& result, const Options& options,
                                const client::Preprocessing& preprocessing, std::string& advised) {
  std::vector<std::string> advice;
  const SourceImage& source = result.source;
  if (!result.status.ok() || source.file == advised) return advice;
  const bool is_limited = options.source.limit.has_value() && !options.source.index.has_value() &&
                          source.total > *options.source.limit;
  if (is_limited) {
    advice.push_back(absl::StrCat(source.file, ": the first ", *options.source.limit, " of ",
                                  Grouped(source.total),
                                  " images; --limit and --index choose others"));
  }
  if (FitOf(source, options.fit) == client::Fit::kAsIs &&
      LooksDarkOnLight(result.fitted.grey, preprocessing)) {
    advice.push_back(absl::StrCat(
        source.file, ": this looks dark on light to the model, which wants light on dark: ",
        options.fit.invert ? "leave --invert out" : "add --invert", ", or use --fit mnist"));
  }
  if (!advice.empty()) advised = source.file;
  return advice;
}

int Run(const GlobalOptions& global, Options options) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::ModelInfo> model = AskForModel(*client, options.model);
  if (!model.ok()) return Fail(model.status());
  const bool is_read_by_people =
      options.format == ClassifyFormat::kText || options.format == ClassifyFormat::kJson;
  if (is_read_by_people && !options.source.limit.has_value()) options.source.limit = kShown;

  ImageSource source(Paths(options.files, options.list), options.source);
  ClassificationOptions classification{.fit = options.fit, .model = options.model};
  classification.workers = std::max(2, static_cast<int>(std::thread::hardware_concurrency()) + 1);
  ProgressView progress;
  const std::unique_ptr<ClassifyReport> report = MakeClassifyReport(
      options.format, options.top, client->target(), *model, [&](const absl::Status& error) {
        progress.Clear();
        Fail(error);
      });
  bool all_are_digits = true;
  std::string advised;
  const absl::Status done = ClassifyAll(
      *client, *model, source, classification, [&](absl::Span<const ImageResult> results) {
        for (const ImageResult& result : results) {
          all_are_digits = all_are_digits && result.prediction.has_value();
          for (const std::string& message :
               Advice(result, options, model->preprocessing, advised)) {
            progress.Clear();
            std::cerr << "hellocnn: " << Printable(message) << "\n";
          }
          report->Add(result);
          progress.Add(result);
        }
        return std::cout.flush().good();
      });
  progress.Clear();
  report->Finish();
  std::cout.flush();
  if (!std::cout.good())
    return Fail(absl::DataLossError("standard output cannot be written; is the disk full?"));
  if (!done.ok() && !is_read_by_people) return Fail(done);
  return done.ok() && all_are_digits ? kExitOk : kExitFailed;
}

}  // namespace

void AddClassify(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("classify", "Says which digit is in each picture");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  CLI::Option* files =
      command->add_option("files", options->files, "pictures, or folders with pictures")
          ->type_name("FILE");
  CLI::Option* list =
      command
          ->add_option(
              "--files-from", options->list,
              "also read the files that FILE lists, one in each line or each followed by a "
              "zero byte; - is standard input")
          ->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--fit", [options](const std::string& fit) { options->fit.fit = kFits.at(fit); },
          "how a picture becomes the network's input")
      ->check(CLI::IsMember({"mnist", "as-is"}))
      ->type_name("FIT")
      ->default_str("mnist");
  command->add_flag("--invert", options->fit.invert,
                    "the digit is dark on light; --fit mnist sees that by itself");
  command->add_flag("--raw", options->source.raw,
                    "files hold raw pixels: 784 bytes (28x28) or 1024 bytes (32x32) of grey "
                    "levels, or 4096 bytes of normalised floats");
  AddModelOptions(*command, options->model);
  command->add_option("--top", options->top, "how many of the likeliest classes to show")
      ->check(CLI::Range(1, kMostClasses))
      ->type_name("N")
      ->capture_default_str();
  CLI::Option* index =
      command
          ->add_option_function<std::int64_t>(
              "--index", [options](const std::int64_t& at) { options->source.index = at; },
              "of an IDX file, only image N, counted from 0")
          ->check(CLI::NonNegativeNumber)
          ->type_name("N");
  command
      ->add_option_function<std::int64_t>(
          "--limit", [options](const std::int64_t& most) { options->source.limit = most; },
          "of an IDX file, the first N images; all if the output is ndjson or csv")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->default_str(absl::StrCat(kShown))
      ->excludes(index);
  command
      ->add_option_function<std::string>(
          "--output",
          [options](const std::string& format) { options->format = kFormats.at(format); },
          "what to write; ndjson and csv have a line for each image")
      ->check(CLI::IsMember({"text", "json", "ndjson", "csv"}))
      ->type_name("FORMAT")
      ->default_str("text");
  command->callback([&global, &action, options, files, list] {
    if (files->empty() && list->empty())
      throw CLI::RequiredError("files, or --files-from, is missing: name a picture");
    options->fit.raw = options->source.raw;
    action = {[&global, options] { return Run(global, *options); }};
  });
}

}  // namespace hellocnn::cli
