// The program `hellocnn`: the options that all subcommands share, and the subcommands. Each
// subcommand has a file of its own.
#ifndef HELLOCNN_CLI_APP_H_
#define HELLOCNN_CLI_APP_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/client/client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// Exit codes of the program.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // the command was run and failed
inline constexpr int kExitUsage = 2;   // the command line is invalid

struct GlobalOptions {
  std::string server;   // validated: client::ParseTarget takes it
  std::string timeout;  // validated: absl::ParseDuration takes it
  bool round_robin = false;
  bool tls = false;
  std::string tls_ca;  // a file; empty: none
  std::string proxy;   // as ClientOptions::proxy
  // At most one of these is not empty. The token comes from the environment only.
  std::string token_file;
  std::string token;
  bool allow_plaintext_token = false;
};

// The action of the subcommand that the command line chose.
struct Action {
  std::function<int()> run;  // returns the exit code
  // The shared options that the action does not use, such as "--server". The command line must not
  // have them; environment variables may set them for other commands.
  std::vector<std::string> unused = {};
  // Why not, after the option's name: "hellocnn tune does not use it, because …".
  std::string why_unused = {};
};

// The unused options of an action that asks no server: all shared ones.
std::vector<std::string> AllSharedOptions();

// Each adds its subcommand to `app`. `global` and `action` must outlive parsing and the action.
// `global` is read only when the action runs.
void AddClassify(CLI::App& app, const GlobalOptions& global, Action& action);
void AddEvaluate(CLI::App& app, const GlobalOptions& global, Action& action);
void AddDescribe(CLI::App& app, const GlobalOptions& global, Action& action);
void AddModel(CLI::App& app, const GlobalOptions& global, Action& action);
void AddModels(CLI::App& app, const GlobalOptions& global, Action& action);
void AddHealth(CLI::App& app, const GlobalOptions& global, Action& action);
void AddLoad(CLI::App& app, const GlobalOptions& global, Action& action);
void AddTune(CLI::App& app, const GlobalOptions& global, Action& action);
void AddToken(CLI::App& app, const GlobalOptions& global, Action& action);
// `load` is the subcommand of that name.
void AddLoadCompare(CLI::App& load, Action& action);

void AddCompletion(CLI::App& app, Action& action);

// Adds --output text|json, under another name if the command has another --output.
void AddOutputOption(CLI::App& command, bool& json, const std::string& name = "--output");

// Checks the value of an option: returns what is wrong with an empty one, as that of a variable of
// the shell that is not set, or "".
std::string CheckNotEmpty(const std::string& text);

// Returns a client that is configured by the shared options. INVALID_ARGUMENT: --server is invalid,
// or a file is not what its option wants. RESOURCE_EXHAUSTED: gRPC would not get its threads. Other
// errors are those of reading the files.
absl::StatusOr<client::Client> Connect(const GlobalOptions& global);

// Prints "hellocnn: <message>" on standard error, escaped for a terminal, and returns kExitFailed.
int Fail(const absl::Status& status);

// Runs the whole program, and returns its exit code.
int Main(int argc, char** argv);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_APP_H_
