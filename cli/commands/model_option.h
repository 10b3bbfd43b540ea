// The options that say which of the server's models a command uses.
#ifndef HELLOCNN_CLI_COMMANDS_MODEL_OPTION_H_
#define HELLOCNN_CLI_COMMANDS_MODEL_OPTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/client/client.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hellocnn::cli {

// Adds --model and --model-version, which set `model`. Empty and unprintable values are wrong
// usage. Returns both options. `model` must outlive parsing.
std::vector<CLI::Option*> AddModelOptions(CLI::App& command, client::ModelVersion& model);

// Adds an option that takes a name or a version of a model, which sets `value`. Empty and
// unprintable values are wrong usage. `value` must outlive parsing.
CLI::Option* AddVersionOption(CLI::App& command, const std::string& name, std::string& value,
                              const std::string& help);

// Returns OK if `got` is what `asked` names. Fails with FAILED_PRECONDITION if it is another model,
// as it is from a server that does not know that requests can name one. Does not block.
absl::Status CheckModel(const client::ModelVersion& asked, const client::ModelInfo& got);

// Returns a description of the model that `model` names. Blocks. Fails with the errors of
// Client::GetModel and CheckModel. The message of NOT_FOUND says how to list the models.
absl::StatusOr<client::ModelInfo> AskForModel(const client::Client& client,
                                              const client::ModelVersion& model);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_MODEL_OPTION_H_
