// hellocnn classify: which digit is in each picture?
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "cli/app.h"
#include "cli/images/decode.h"
#include "cli/images/fit.h"
#include "cli/images/render.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Files may be PNG, JPEG, PGM/PPM, IDX (gzipped too), or raw pixels: 784 bytes (28x28) or 1024 bytes (32x32)
of grey levels, 4096 bytes of normalised floats. The content tells them apart, not the name. Any size will do: pictures
become grey, are scaled with their proportions kept to the content size of the model, centred, and padded with
black. A picture of 32x32 is sent as it is. The digit must be light on dark, as in MNIST; else say --invert.
Transparent parts count as background. A file may also be a pipe; - is standard input.

Examples:
  hellocnn classify digit.png
  hellocnn classify --invert --top 5 scan-*.jpg
  hellocnn classify --index 42 data/mnist-test/t10k-images-idx3-ubyte.gz
  hellocnn classify --output json digit.png | jq '.results[0].label')";

constexpr int kMostClasses = 1024;  // most classes of any model

struct Options {
  std::vector<std::string> files;
  DecodeOptions decode;
  int top = 3;
  bool json = false;
};

// Collects the output, in either format.
class Report {
 public:
  Report(const Options& options, const client::ModelInfo& model)
      : options_(options), model_(model), style_(StyleOf(STDOUT_FILENO)) {}

  void Error(const std::string& file, const absl::Status& status) {
    // Most messages name the file already.
    const std::string message(status.message());
    Fail(message.find(file) != std::string::npos
             ? status
             : absl::Status(status.code(), file + ": " + message));
    errors_.push_back(
        {{"file", file}, {"code", absl::StatusCodeToString(status.code())}, {"message", message}});
  }

  void Answer(const std::string& file, const DecodedFile& decoded, std::size_t index,
              const client::Prediction& prediction, const client::Timing& timing,
              absl::Duration took) {
    const std::int64_t in_file = decoded.first_index + static_cast<std::int64_t>(index);
    if (options_.json) {
      AddJson(file, in_file, prediction, timing);
      return;
    }
    std::cout << file;
    if (decoded.total > 1) std::cout << " [" << in_file << "]";
    std::cout << "\n";
    if (const auto preview = ToPreview(decoded.pictures[index], model_.preprocessing);
        preview.ok()) {
      std::cout << Draw(*preview, style_);
    }
    std::cout << Bars(prediction, model_.labels, options_.top, style_) << "  " << model_.name << "/"
              << model_.version << " answered in " << Short(took) << ": queue "
              << Short(timing.queue) << ", compute " << Short(timing.compute) << ", batch of "
              << timing.batch_size << "\n\n";
  }

  int Finish(const std::string& server) {
    if (options_.json) {
      const Json document = {{"server", server},
                             {"model", {{"name", model_.name}, {"version", model_.version}}},
                             {"results", results_},
                             {"errors", errors_}};
      // File names may not be UTF-8, but JSON must be.
      std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    }
    return errors_.empty() ? kExitOk : kExitFailed;
  }

 private:
  void AddJson(const std::string& file, std::int64_t index, const client::Prediction& prediction,
               const client::Timing& timing) {
    Json top = Json::array();
    const auto ranking = Ranking(prediction);
    for (int rank = 0; rank < std::min<int>(options_.top, std::ssize(ranking)); ++rank) {
      const int class_index = ranking[rank];
      top.push_back({{"class_index", class_index},
                     {"label", model_.labels[class_index]},
                     {"probability", prediction.Probability(class_index)}});
    }
    results_.push_back({{"file", file},
                        {"index", index},
                        {"class_index", prediction.class_index},
                        {"label", prediction.label},
                        {"probability", prediction.Probability(prediction.class_index)},
                        {"top", top},
                        {"log_probabilities", prediction.log_probabilities},
                        {"timing",
                         {{"queue_seconds", absl::ToDoubleSeconds(timing.queue)},
                          {"compute_seconds", absl::ToDoubleSeconds(timing.compute)},
                          {"batch_size", timing.batch_size}}}});
  }

  const Options& options_;
  const client::ModelInfo& model_;
  const Style style_;
  Json results_ = Json::array();
  Json errors_ = Json::array();
};

// Classifies the pictures of one file, with as few calls as the server's limit allows.
absl::Status ClassifyFile(const client::Client& client, const client::ModelInfo& model,
                          const std::string& file, const DecodedFile& decoded, Report& report) {
  std::vector<client::Image> images;
  for (const Picture& picture : decoded.pictures) {
    absl::StatusOr<client::Image> image = ToImage(picture, model.preprocessing);
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  const std::size_t most = std::max(1, model.limits.max_images_per_request);
  for (std::size_t begin = 0; begin < images.size(); begin += most) {
    const Instant start = Clock::Monotonic()->Now();
    const absl::StatusOr<client::ClassifyResult> result =
        client.Classify(absl::MakeConstSpan(images).subspan(begin, most));
    const absl::Duration took = Clock::Monotonic()->Now() - start;
    if (!result.ok()) return result.status();
    const std::size_t classes = result->predictions[0].log_probabilities.size();
    if (classes != model.labels.size()) {
      return absl::FailedPreconditionError(absl::StrCat("the server's model has changed from ",
                                                        model.labels.size(), " classes to ",
                                                        classes, "; retry"));
    }
    for (std::size_t i = 0; i < result->predictions.size(); ++i) {
      report.Answer(file, decoded, begin + i, result->predictions[i], result->timing, took);
    }
  }
  return absl::OkStatus();
}

int Run(const GlobalOptions& global, const Options& options) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::ModelInfo> model = client->GetModel();
  if (!model.ok()) return Fail(model.status());
  Report report(options, *model);
  for (const std::string& file : options.files) {
    const absl::StatusOr<DecodedFile> decoded = DecodeFile(file, options.decode);
    if (!decoded.ok()) {
      report.Error(file, decoded.status());
      continue;
    }
    if (!options.decode.index.has_value() &&
        decoded->total > static_cast<std::int64_t>(decoded->pictures.size())) {
      std::cerr << "hellocnn: " << file << ": the first " << decoded->pictures.size() << " of "
                << Grouped(decoded->total) << " images; --limit and --index choose others\n";
    }
    const auto dark_on_light = [](const Picture& picture) { return LooksDarkOnLight(picture); };
    if (std::any_of(decoded->pictures.begin(), decoded->pictures.end(), dark_on_light)) {
      std::cerr << "hellocnn: " << file
                << ": this looks dark on light; the model wants light on dark: try "
                << (options.decode.invert ? "without --invert\n" : "--invert\n");
    }
    if (absl::Status done = ClassifyFile(*client, *model, file, *decoded, report); !done.ok()) {
      report.Error(file, done);
    }
  }
  return report.Finish(client->target());
}

}  // namespace

void AddClassify(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("classify", "Says which digit is in each picture");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("files", options->files, "pictures")->required()->type_name("FILE");
  command->add_flag("--invert", options->decode.invert, "the digit is dark on light");
  command->add_option("--top", options->top, "how many of the likeliest classes to show")
      ->check(CLI::Range(1, kMostClasses))
      ->type_name("N")
      ->capture_default_str();
  CLI::Option* index =
      command
          ->add_option_function<std::int64_t>(
              "--index", [options](const std::int64_t& at) { options->decode.index = at; },
              "of an IDX file, only image N, counted from 0")
          ->check(CLI::NonNegativeNumber)
          ->type_name("N");
  command->add_option("--limit", options->decode.limit, "of an IDX file, the first N images")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str()
      ->excludes(index);
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = [&global, options] { return Run(global, *options); };
  });
}

}  // namespace hellocnn::cli
