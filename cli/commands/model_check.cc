// hellocnn model check: could a server serve these versions?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands/model_commands.h"
#include "cli/models/golden_choice.h"
#include "cli/models/offline_model.h"
#include "hellocnn/repository/model_repository.h"
#include "loadgen/report/json.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
Checks what a server checks before it serves a version: the card, the weights,
whether they belong together, that no image can make the network overflow, that
the engine agrees with the network in double precision, that different images get
different classes, and the golden images. A path is a weight file, a version, a
model with versions, or a folder of models.

Examples:
  hellocnn model check models
  hellocnn model check models/mnist/1 model.pt
  hellocnn model check models --output json | jq '.versions[] | select(.ok | not)'

The exit code is 1 if a version cannot be served.)";

struct Options {
  std::vector<std::string> paths;
  bool json = false;
};

// A version that was checked, or a path without any.
struct Checked {
  std::string path;
  absl::StatusOr<OfflineModel> model;
};

void CheckPath(const std::string& path, std::vector<Checked>* all) {
  const absl::StatusOr<ModelRepository> repository = ModelRepository::Open(path);
  const absl::StatusOr<FoundModels> found =
      repository.ok() ? repository->Scan() : repository.status();
  if (!found.ok()) {
    all->push_back({path, found.status()});
    return;
  }
  for (const auto& [model, status] : found->unreadable) {
    all->push_back({absl::StrCat(path, "/", model), status});
  }
  for (const VersionFolder& folder : found->versions) {
    all->push_back({folder.path, LoadOfflineModel(folder)});
  }
}

std::string Summary(const OfflineModel& model) {
  const ModelCard& card = model.card;
  const std::string accuracy =
      card.test_accuracy.has_value()
          ? absl::StrFormat("test accuracy %.2f%% says the card", 100 * *card.test_accuracy)
          : "test accuracy not measured";
  const std::size_t golden = CountGoldenImages(card);
  return absl::StrCat(card.name, "/", card.version, ", ", card.class_labels.size(), " classes, ",
                      accuracy, ", ",
                      golden == 0 ? "no golden images" : absl::StrCat(golden, " golden images"));
}

void PrintText(const std::vector<Checked>& all) {
  constexpr std::size_t kIndent = 8;
  for (const Checked& checked : all) {
    if (!checked.model.ok()) {
      std::cout << load::Wrapped("failed", std::string(checked.model.status().message()), kIndent);
      continue;
    }
    std::cout << load::Wrapped("ok", absl::StrCat(checked.path, ": ", Summary(*checked.model)),
                               kIndent);
    for (const std::string& note : checked.model->notes) {
      std::cout << load::Wrapped("  note", note, kIndent);
    }
  }
}

void PrintJson(const std::vector<Checked>& all) {
  Json document = {{"versions", Json::array()}};
  for (const Checked& checked : all) {
    Json version = {{"path", checked.path}, {"ok", checked.model.ok()}};
    if (checked.model.ok()) {
      const ModelCard& card = checked.model->card;
      version["name"] = card.name;
      version["version"] = card.version;
      version["classes"] = card.class_labels.size();
      version["test_accuracy"] =
          card.test_accuracy.has_value() ? Json(*card.test_accuracy) : Json();
      version["golden_images"] = CountGoldenImages(card);
      version["weights_sha256"] = card.weights_sha256;
      version["notes"] = checked.model->notes;
    } else {
      version["reason"] = std::string(checked.model.status().message());
    }
    document["versions"].push_back(std::move(version));
  }
  std::cout << load::DumpJson(document, 2) << "\n";
}

int Run(const Options& options) {
  std::vector<Checked> all;
  for (const std::string& path : options.paths) CheckPath(path, &all);
  options.json ? PrintJson(all) : PrintText(all);
  const bool good = std::all_of(all.begin(), all.end(),
                                [](const Checked& checked) { return checked.model.ok(); });
  return good ? kExitOk : kExitFailed;
}

}  // namespace

void AddModelCheck(CLI::App& model, Action& action) {
  CLI::App* command =
      model.add_subcommand("check", "Checks offline whether a server could serve versions");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("paths", options->paths, "weight files, and folders of versions or of models")
      ->required()
      ->type_name("DIR");
  AddOutputOption(*command, options->json);
  command->callback([&action, options] {
    action = WithoutServer("hellocnn model check", [options] { return Run(*options); });
  });
}

}  // namespace hellocnn::cli
