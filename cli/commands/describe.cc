// hellocnn describe: the model that is served, layer by layer.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/model_option.h"
#include "cli/images/render.h"
#include "hellocnn/topology.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Examples:
  hellocnn describe                     what the server serves, and its limits
  hellocnn describe --model-version 2   a version that is not the current one
  hellocnn describe --offline           the network as this program was built with it; needs no server
  hellocnn describe --offline --classes 26       the same for a model of letters
  hellocnn describe --output json | jq .limits)";

constexpr char kCardWarning[] = R"(
WARNING: the model card was written for other weights than those that are
served. Its test accuracy, class labels and preprocessing may be wrong.

)";

struct Options {
  bool offline = false;
  int classes = 10;
  client::ModelVersion model;
  bool json = false;
};

client::ModelInfo CompiledIn(int classes) {
  client::ModelInfo info;
  for (const PlacedLayer& placed : PlaceLayers(classes)) {
    std::vector<int> shape{placed.output.channels};
    if (placed.output.height != 1 || placed.output.width != 1) {
      shape.insert(shape.end(), {placed.output.height, placed.output.width});
    }
    info.layers.push_back({std::string(placed.layer.name), Describe(placed), std::move(shape),
                           placed.parameters, placed.multiply_adds});
  }
  info.parameters = TotalParameters(classes);
  info.multiply_adds = TotalMultiplyAdds(classes);
  return info;
}

std::string Row(const std::string& name, const std::string& operation, const std::string& shape,
                const std::string& parameters, const std::string& multiply_adds) {
  return absl::StrFormat("%-10s %-27s %-13s %10s %13s\n", name, operation, shape, parameters,
                         multiply_adds);
}

void PrintLayers(const client::ModelInfo& info) {
  std::cout << Row("layer", "operator", "output", "parameters", "multiply-adds");
  for (const client::LayerInfo& layer : info.layers) {
    std::cout << Row(Printable(layer.name), Printable(layer.operation),
                     absl::StrCat("[", absl::StrJoin(layer.output_shape, ", "), "]"),
                     Grouped(layer.parameters), Grouped(layer.multiply_adds));
  }
  std::cout << Row("total", "", "", Grouped(info.parameters), Grouped(info.multiply_adds));
}

void PrintText(const client::ModelInfo& info, bool offline) {
  if (offline) {
    std::cout << "The network as compiled in, for one [1, 32, 32] image:\n\n";
    PrintLayers(info);
    return;
  }
  const client::Preprocessing& pre = info.preprocessing;
  const client::Limits& limits = info.limits;
  std::cout
      << absl::StrFormat("model          %s, version %s\n", Printable(info.name),
                         Printable(info.version))
      << absl::StrFormat("test accuracy  %s\n",
                         info.test_accuracy.has_value()
                             ? absl::StrFormat("%.2f%%", 100 * *info.test_accuracy)
                             : "not measured")
      << (info.card_of_other_weights ? kCardWarning : "")
      << absl::StrFormat("classes        %s\n", Printable(absl::StrJoin(info.labels, " ")))
      << absl::StrFormat("preprocessing  %dx%d, padded by %d with black, (grey / 255 - %g) / %g\n",
                         pre.content_size, pre.content_size, pre.padding, pre.mean,
                         pre.standard_deviation)
      << absl::StrFormat(
             "limits         %s images a request, %s a batch, %s queued, %s bytes a message\n\n",
             Grouped(limits.max_images_per_request), Grouped(limits.max_batch_size),
             Grouped(limits.queue_capacity), Grouped(limits.max_message_bytes));
  PrintLayers(info);
}

void PrintJson(const client::ModelInfo& info, bool offline) {
  Json document = Json::object();
  if (!offline) {
    document["name"] = info.name;
    document["version"] = info.version;
    document["test_accuracy"] = info.test_accuracy.has_value() ? Json(*info.test_accuracy) : Json();
    document["weights_sha256"] = info.weights_sha256;
    document["card_of_other_weights"] = info.card_of_other_weights;
    document["class_labels"] = info.labels;
    document["preprocessing"] = {{"content_size", info.preprocessing.content_size},
                                 {"padding", info.preprocessing.padding},
                                 {"mean", info.preprocessing.mean},
                                 {"standard_deviation", info.preprocessing.standard_deviation}};
    document["limits"] = {{"max_images_per_request", info.limits.max_images_per_request},
                          {"max_batch_size", info.limits.max_batch_size},
                          {"queue_capacity", info.limits.queue_capacity},
                          {"max_message_bytes", info.limits.max_message_bytes}};
  }
  document["layers"] = Json::array();
  for (const client::LayerInfo& layer : info.layers) {
    document["layers"].push_back({{"name", layer.name},
                                  {"operator", layer.operation},
                                  {"output_shape", layer.output_shape},
                                  {"parameters", layer.parameters},
                                  {"multiply_adds", layer.multiply_adds}});
  }
  document["parameters"] = info.parameters;
  document["multiply_adds"] = info.multiply_adds;
  std::cout << load::DumpJson(document, 2) << "\n";
}

absl::StatusOr<client::ModelInfo> Ask(const GlobalOptions& global,
                                      const client::ModelVersion& model) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return client.status();
  return AskForModel(*client, model);
}

int Run(const GlobalOptions& global, const Options& options) {
  const absl::StatusOr<client::ModelInfo> info =
      options.offline ? CompiledIn(options.classes) : Ask(global, options.model);
  const bool model_is_missing =
      absl::IsNotFound(info.status()) || absl::IsFailedPrecondition(info.status());
  if (!info.ok() && !model_is_missing) {
    return Fail(absl::Status(info.status().code(),
                             absl::StrCat(std::string(info.status().message()),
                                          ". `hellocnn describe --offline` needs no server")));
  }
  if (!info.ok()) return Fail(info.status());
  options.json ? PrintJson(*info, options.offline) : PrintText(*info, options.offline);
  return kExitOk;
}

}  // namespace

void AddDescribe(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command =
      app.add_subcommand("describe", "Describes the model, its layers and the server's limits");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  CLI::Option* offline = command->add_flag("--offline", options->offline,
                                           "the compiled-in network, without asking a server");
  command
      ->add_option("--classes", options->classes,
                   "with --offline, the classes of the model, which its weights decide")
      ->needs(offline)
      ->check(CLI::Range(kMinClasses, kMaxClasses))
      ->type_name("N")
      ->capture_default_str();
  for (CLI::Option* option : AddModelOptions(*command, options->model)) option->excludes(offline);
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = {[&global, options] { return Run(global, *options); }};
    if (!options->offline) return;
    action.unused = AllSharedOptions();
    action.why_unused = "hellocnn describe --offline does not use it, because it asks no server";
  });
}

}  // namespace hellocnn::cli
