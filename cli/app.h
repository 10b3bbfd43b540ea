// The program `hellocnn`: options that all subcommands share, and the subcommands, one file each.
#ifndef HELLOCNN_CLI_APP_H_
#define HELLOCNN_CLI_APP_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/client/client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// What the program returns.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // it was tried and went wrong
inline constexpr int kExitUsage = 2;   // the command line makes no sense

struct GlobalOptions {
  std::string server;
  std::string timeout;  // validated: absl::ParseDuration takes it
  bool round_robin;
};

// Set by the subcommand that the command line chose; gives the exit code.
using Action = std::function<int()>;

// Each adds its subcommand to `app`. `global` and `action` must outlive parsing and the action;
// `global` is read only when the action runs.
void AddClassify(CLI::App& app, const GlobalOptions& global, Action& action);
void AddEvaluate(CLI::App& app, const GlobalOptions& global, Action& action);
void AddDescribe(CLI::App& app, const GlobalOptions& global, Action& action);
void AddHealth(CLI::App& app, const GlobalOptions& global, Action& action);
void AddLoad(CLI::App& app, const GlobalOptions& global, Action& action);
void AddTune(CLI::App& app, const GlobalOptions& global, Action& action);
// `load` is the subcommand of that name.
void AddLoadCompare(CLI::App& load, Action& action);

void AddCompletion(CLI::App& app, Action& action);

// Adds --output text|json.
void AddOutputOption(CLI::App& command, bool& json);

// A client as the shared options say. INVALID_ARGUMENT: a bad --server.
absl::StatusOr<client::Client> Connect(const GlobalOptions& global);

// Prints "hellocnn: <message>" on standard error; gives kExitFailed.
int Fail(const absl::Status& status);

// The whole program.
int Main(int argc, char** argv);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_APP_H_
