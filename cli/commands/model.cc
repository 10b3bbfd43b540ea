// hellocnn model: makes, checks, compares, rolls out, lists and rolls back versions of models.
#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/commands/model_commands.h"

namespace hellocnn::cli {
namespace {

constexpr char kModelExamples[] = R"(
A version is a folder with weights and a model card, such as models/mnist/1.
create, check, diff and rollout work on files and ask no server.

Examples:
  hellocnn model create --weights model.pt --output models/mnist/2
  hellocnn model check models
  hellocnn model diff models/mnist/1 models/mnist/2 --data data/mnist-test
  hellocnn model rollout models/mnist --candidate 3 --shadow 10%
  hellocnn model list
  hellocnn model rollback)";

}  // namespace

Action WithoutServer(const std::string& command, std::function<int()> run) {
  return {std::move(run), AllSharedOptions(),
          absl::StrCat(command, " does not use it, because it asks no server")};
}

void AddModel(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand(
      "model", "Makes, checks, compares, rolls out, lists and rolls back versions of models");
  command->footer(kModelExamples);
  command->require_subcommand(1);
  AddModelCreate(*command, action);
  AddModelCheck(*command, action);
  AddModelDiff(*command, action);
  AddModelRollout(*command, action);
  AddModelList(*command, global, action);
  AddModelRollback(*command, global, action);
}

}  // namespace hellocnn::cli
