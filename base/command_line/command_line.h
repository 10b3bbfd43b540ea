// What programs say of their options, in 80 columns: --help, and what was mistyped.
#ifndef HELLOCNN_BASE_COMMAND_LINE_COMMAND_LINE_H_
#define HELLOCNN_BASE_COMMAND_LINE_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hellocnn {

// Parses the command line, and returns the exit code if the program must end:
//   0 after --help and --version and, if `app` wants a command, after `help` and without arguments;
//   1 if that could not be printed;
//   2 after a message about wrong usage.
std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv);

// Returns what stands for the option's value: "N", or "" if it takes none.
std::string PlaceholderOf(const CLI::Option& option);

// Returns the values that the option takes, from the checks that CLI11 appends to its type: "1 to
// 1024", "above 0", or "" if nothing is known. Choices are left to ChoicesOf.
std::string RangeOf(const CLI::Option& option);

// Returns the choices of an option that takes one of several words, or nothing.
std::vector<std::string> ChoicesOf(const CLI::Option& option);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_COMMAND_LINE_COMMAND_LINE_H_
