// Where options come from: flags, the environment and a file, and which of them wins.
#ifndef HELLOCNN_SERVER_CONFIG_SOURCES_H_
#define HELLOCNN_SERVER_CONFIG_SOURCES_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hellocnn::server {

// What the flags that are no options ask for.
enum class Request { kServe, kPrintHelp, kPrintVersion, kPrintConfig, kPrintMarkdown };

struct GivenOption {
  std::string value;
  std::string source;  // "flag", "environment HELLOCNN_THREADS", "file server.toml"
};

struct Sources {
  Request request = Request::kServe;
  std::map<std::string, GivenOption> given;  // by option name
  std::vector<std::string> warnings;         // see ParsedOptions
};

using OptionNames = std::set<std::string, std::less<>>;

// Returns the environment variable of an option: "HELLOCNN_MAX_BATCH_SIZE" for "max-batch-size".
std::string EnvironmentName(absl::string_view option);

// Returns true for the names of the variables that Kubernetes sets for a Service whose name begins
// with "hellocnn", such as HELLOCNN_SERVICE_HOST and HELLOCNN_METRICS_PORT_9464_TCP_ADDR. No option
// may have such a variable: a Service could set it by accident.
bool IsServiceVariable(absl::string_view variable);

// Reads the flags, the environment and the file of --config; for each option the first of these
// that has it wins. Help, version and Markdown need neither environment nor file, which are not
// read then. An unknown environment variable is a warning, for others than the operator set
// variables too; an unknown flag or line of the file is an error. Blocks while it reads the file.
// INVALID_ARGUMENT: a flag or a line that is unknown, malformed or repeated, or a file that cannot
// be read.
absl::StatusOr<Sources> ReadSources(const OptionNames& names, int argc, const char* const* argv);

// Reads the text of a file of options and returns their values by name. `path` is for messages.
// INVALID_ARGUMENT: a line that is no option, is malformed or repeats another.
absl::StatusOr<std::map<std::string, std::string>> ParseFile(const OptionNames& names,
                                                             absl::string_view path,
                                                             const std::string& text);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_SOURCES_H_
