// Generates the scripts with which a shell completes the program's command line.
#ifndef HELLOCNN_CLI_SHELL_COMPLETION_H_
#define HELLOCNN_CLI_SHELL_COMPLETION_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// What a shell must know about an option. The value is one of `choices`, a file, or anything.
struct CompletedOption {
  std::vector<std::string> flags;  // "-h", "--help"
  std::string help;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> choices;
};

struct CompletedCommand {
  std::vector<std::string> path;  // {"hellocnn", "load", "compare"}
  std::string help;
  // Including those of the program, which every command accepts.
  std::vector<CompletedOption> options;
  std::vector<CompletedCommand> commands;
  bool takes_files = false;
};

// Returns all commands of `app` as CLI11 holds them, so that nothing has to be listed twice.
CompletedCommand Describe(const CLI::App& app);

// Returns the script for ~/.bashrc, for zsh's $fpath, or for fish's completions.
std::string BashCompletion(const CompletedCommand& program);
std::string ZshCompletion(const CompletedCommand& program);
std::string FishCompletion(const CompletedCommand& program);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_SHELL_COMPLETION_H_
