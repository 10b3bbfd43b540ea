// hellocnn models rollback: lets the version before the current one serve again.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/model_commands.h"
#include "cli/commands/model_option.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

constexpr char kRollbackExamples[] = R"(
Withdraws the current version of a model, and lets the version before take over at
once. That version must still be loaded: it is STANDBY in `hellocnn models`. If the
model has a candidate, withdraws that instead, and the current version stays. The
server must run with --model-control=on. Each replica must be told by itself.

What is rolled back is not served again until its content changes, the server
starts again, or --undo. Remove its folder to be rid of it for good.

Examples:
  hellocnn models rollback
  hellocnn models rollback --model mnist
  hellocnn models rollback --undo)";

struct RollbackOptions {
  client::ModelVersion model;
  bool undo = false;
  bool json = false;
};

int RunRollback(const GlobalOptions& global, const RollbackOptions& options) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const client::CallOptions call{.model = options.model};
  const absl::StatusOr<client::Rollback> done =
      options.undo ? client->UndoRollback(call) : client->RollBack(call);
  if (absl::IsUnimplemented(done.status())) {
    return Fail(absl::UnimplementedError(
        absl::StrCat("the server at ", client->target(), " is too old to roll models back")));
  }
  if (!done.ok()) return Fail(done.status());
  const std::string model = Printable(done->from.name);
  const std::string from = Printable(done->from.version);
  const std::string to = Printable(done->to.version);
  if (options.json) {
    const nlohmann::ordered_json document = {{"model", model}, {"from", from}, {"to", to}};
    std::cout << load::DumpJson(document, 2) << "\n";
  } else if (options.undo) {
    std::cout << absl::StrCat("Model ", model, ": version ", to, " is served again.\n");
  } else {
    std::cout << absl::StrCat("Model ", model, ": version ", to, " serves now; version ", from,
                              " is rolled back.\n");
  }
  return kExitOk;
}

}  // namespace

void AddModelRollback(CLI::App& models, const GlobalOptions& global, Action& action) {
  CLI::App* command =
      models.add_subcommand("rollback", "Lets the version before the current one serve again");
  command->footer(kRollbackExamples);
  auto options = std::make_shared<RollbackOptions>();
  AddVersionOption(*command, "--model", options->model.name,
                   "model of the server; its default model if not given");
  command->add_flag("--undo", options->undo, "let the version that was rolled back serve again");
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = {[&global, options] { return RunRollback(global, *options); }};
  });
}

}  // namespace hellocnn::cli
