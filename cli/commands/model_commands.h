// The subcommands of `hellocnn model`.
#ifndef HELLOCNN_CLI_COMMANDS_MODEL_COMMANDS_H_
#define HELLOCNN_CLI_COMMANDS_MODEL_COMMANDS_H_

#include <functional>
#include <string>

#include "cli/app.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// Each adds its subcommand to `model`. `action` must outlive parsing and the action.
void AddModelCreate(CLI::App& model, Action& action);
void AddModelCheck(CLI::App& model, Action& action);
void AddModelDiff(CLI::App& model, Action& action);
void AddModelRollout(CLI::App& model, Action& action);
// Prints what `hellocnn models` prints. `global` must outlive the action.
void AddModelList(CLI::App& model, const GlobalOptions& global, Action& action);
// `model` may also be the command `models`. `global` must outlive the action.
void AddModelRollback(CLI::App& model, const GlobalOptions& global, Action& action);

// Returns the action of `command`, such as "hellocnn model check", which asks no server.
Action WithoutServer(const std::string& command, std::function<int()> run);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_MODEL_COMMANDS_H_
