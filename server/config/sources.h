// Where options come from: flags, the environment and a file, and which of them wins.
#ifndef HELLOCNN_SERVER_CONFIG_SOURCES_H_
#define HELLOCNN_SERVER_CONFIG_SOURCES_H_

#include <map>
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

using OptionNames = std::vector<std::string>;

// Returns the environment variable of an option: "HELLOCNN_MAX_BATCH_SIZE" for "max-batch-size".
std::string EnvironmentName(absl::string_view option);

// Returns true for the names of the variables that Kubernetes sets for a Service whose name begins
// with "hellocnn", such as HELLOCNN_SERVICE_HOST and HELLOCNN_METRICS_PORT_9464_TCP_ADDR. No option
// may have such a variable: a Service could set it by accident.
bool IsServiceVariable(absl::string_view variable);

// Reads the flags, the environment and the file of --config; for each option the first of these
// that has it wins. A variable that is empty counts as not set. Help, version and Markdown need
// neither environment nor file, which are not read then. An unknown environment variable is a
// warning, for others than the operator set variables too; an unknown flag or line of the file is
// an error. Blocks while it reads the file. INVALID_ARGUMENT: a flag or a line that is unknown,
// malformed or repeated, or a file that cannot be read or has more than 1 MiB. "-" is standard
// input.
absl::StatusOr<Sources> ReadSources(const OptionNames& names, int argc, const char* const* argv);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_SOURCES_H_
