// hellocnn model rollout: lets a new version take a share of the requests before it takes all.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/shown.h"
#include "base/version_number.h"
#include "cli/app.h"
#include "cli/commands/model_commands.h"
#include "hellocnn/repository/model_repository.h"
#include "hellocnn/repository/rollout.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Writes or removes rollout.json in the folder of a model. Servers that serve the folder
notice it when they look for new versions, also after a restart, so all replicas of a
shared folder do the same.

With --shadow, the current version responds to all requests, and the candidate
computes a share of them as well. With --canary, the candidate responds to its share.
Either way the metrics say how often both agree.

Name the candidate before you copy it, so that it does not take over at once:
  hellocnn model rollout models/mnist --candidate 3 --shadow 10%
  cp -r new-version models/mnist/.3 && mv models/mnist/.3 models/mnist/3

Then:
  hellocnn model rollout models/mnist                 says what the file says
  hellocnn model rollout models/mnist --canary 5%     the same candidate, as a canary
  hellocnn model rollout models/mnist --end           the highest version serves all

To give a candidate up, take its folder away before --end.)";

struct Options {
  std::string folder;
  std::string candidate;  // empty: as it is
  std::optional<double> shadow;
  std::optional<double> canary;
  bool end = false;
  bool json = false;
};

// Reads "10%" or "0.1" as a share. Returns what is wrong, or "".
std::string ParseShare(absl::string_view text, std::optional<double>* share) {
  double value = 0;
  const bool percent = absl::ConsumeSuffix(&text, "%");
  if (!absl::SimpleAtod(text, &value) || !(value > 0 && value <= (percent ? 100 : 1))) {
    return "wanted a share above 0, and at most 1, such as 10% or 0.1";
  }
  *share = percent ? value / 100 : value;
  return "";
}

// Returns true if the folder of the model has that version now.
bool HasVersion(const std::string& folder, const std::string& version) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(folder, "/", version, "/model_card.json"), error);
}

// Returns the path of a model in the folder, if that is a repository of models, or "".
std::string ModelWithin(const std::string& folder) {
  const absl::StatusOr<ModelRepository> repository = ModelRepository::Open(folder);
  const absl::StatusOr<FoundModels> found =
      repository.ok() ? repository->Scan() : repository.status();
  if (!found.ok() || found->versions.empty()) return "";
  const std::filesystem::path model =
      std::filesystem::path(found->versions.front().path).parent_path();
  std::error_code error;
  return std::filesystem::equivalent(model, folder, error) ? "" : model.string();
}

// Returns what the options make of the rollout that there is.
absl::StatusOr<std::optional<Rollout>> Changed(const Options& options,
                                               std::optional<Rollout> rollout) {
  if (options.end) return std::nullopt;
  if (options.shadow.has_value() || options.canary.has_value()) {
    if (!rollout.has_value()) rollout.emplace();
    rollout->mode = options.shadow.has_value() ? Rollout::Mode::kShadow : Rollout::Mode::kCanary;
    rollout->share = options.shadow.has_value() ? *options.shadow : *options.canary;
  }
  if (options.candidate.empty()) {
    if (rollout.has_value() && rollout->candidate.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          options.folder, " has no candidate yet; name one with --candidate, such as 3"));
    }
    return rollout;
  }
  if (!rollout.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.folder, " has no candidate yet; say with --shadow or --canary what its share is"));
  }
  rollout->candidate = options.candidate;
  return rollout;
}

std::string Describe(const Options& options, const std::optional<Rollout>& rollout) {
  const std::string folder = Printable(options.folder);
  if (!rollout.has_value()) {
    return absl::StrCat(folder, " has no candidate: its highest version serves all requests.\n");
  }
  std::string text = absl::StrCat(
      folder, ": version ", rollout->candidate, " is the candidate. It computes ",
      absl::StrFormat("%.4g%%", 100 * rollout->share), " of the requests, ",
      rollout->mode == Rollout::Mode::kShadow ? "as a shadow: the current version responds.\n"
                                              : "as a canary: it responds to them.\n");
  if (!HasVersion(options.folder, rollout->candidate)) {
    absl::StrAppend(&text, "The folder has no version ", rollout->candidate, " yet.\n");
  }
  return text;
}

int Run(const Options& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.folder, error)) {
    return Fail(absl::NotFoundError(absl::StrCat(
        options.folder, " is not a folder; wanted that of a model, such as models/mnist")));
  }
  if (std::filesystem::exists(options.folder + "/model_card.json", error)) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat(options.folder, " is one version; wanted the folder of its model, above it")));
  }
  if (const std::string model = ModelWithin(options.folder); !model.empty()) {
    return Fail(absl::FailedPreconditionError(absl::StrCat(
        options.folder, " is a folder of models; wanted the folder of one, such as ", model)));
  }
  const bool writes = options.end || !options.candidate.empty() || options.shadow.has_value() ||
                      options.canary.has_value();
  absl::StatusOr<std::optional<Rollout>> rollout = LoadRollout(options.folder);
  // --end helps with a file that cannot be understood.
  if (!rollout.ok() && !(options.end && absl::IsInvalidArgument(rollout.status()))) {
    return Fail(rollout.status());
  }
  if (writes) {
    rollout = Changed(options, rollout.ok() ? *rollout : std::nullopt);
    if (!rollout.ok()) return Fail(rollout.status());
    absl::Status saved = SaveRollout(options.folder, *rollout);
    if (!saved.ok()) return Fail(saved);
  }
  if (options.json) {
    nlohmann::ordered_json document = {{"candidate", nullptr}};
    if (rollout->has_value()) {
      document = {{"candidate", (*rollout)->candidate},
                  {"mode", NameOf((*rollout)->mode)},
                  {"share", (*rollout)->share},
                  {"is_there", HasVersion(options.folder, (*rollout)->candidate)}};
    }
    std::cout << load::DumpJson(document, 2) << "\n";
  } else {
    std::cout << Describe(options, *rollout);
  }
  return kExitOk;
}

CLI::Option* AddShare(CLI::App& command, const char* name, std::optional<double>* share,
                      const char* help) {
  return command
      .add_option_function<std::string>(
          name,
          [name, share](const std::string& text) {
            const std::string wrong = ParseShare(text, share);
            if (!wrong.empty()) {
              throw CLI::ValidationError(name, absl::StrCat("is \"", Shown(text), "\"; ", wrong));
            }
          },
          help)
      ->type_name("SHARE");
}

}  // namespace

void AddModelRollout(CLI::App& model, Action& action) {
  CLI::App* command = model.add_subcommand(
      "rollout", "Lets a new version compute a share of the requests before it serves all");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("folder", options->folder, "folder of a model, with its versions")
      ->required()
      ->type_name("DIR");
  CLI::Option* const candidate =
      command
          ->add_option("--candidate", options->candidate,
                       "number of the version, which need not be there yet")
          ->type_name("N")
          ->check([](const std::string& text) {
            return IsVersionNumber(text)
                       ? std::string()
                       : absl::StrCat("wanted a version number, such as 3, and found \"",
                                      Shown(text), "\"");
          });
  CLI::Option* const shadow =
      AddShare(*command, "--shadow", &options->shadow,
               "share of the requests that it computes without responding, such as 10%");
  CLI::Option* const canary = AddShare(*command, "--canary", &options->canary,
                                       "share of the requests that it responds to, such as 5%")
                                  ->excludes(shadow);
  command->add_flag("--end", options->end, "no version is a candidate any more")
      ->excludes(candidate)
      ->excludes(shadow)
      ->excludes(canary);
  AddOutputOption(*command, options->json);
  command->callback([&action, options] {
    action = WithoutServer("hellocnn model rollout", [options] { return Run(*options); });
  });
}

}  // namespace hellocnn::cli
