// Every option of the server, and where each value came from.
//
// An option is stated once. To add one,
//   1. add a member with its default to Options, below;
//   2. add a row to the table in options.cc: its name, the member, its range, and its help.
// The flag, the environment variable, the line in a file, the check and its message, --help, the
// manual page, --print-config and the table in docs/reference/options.md all follow from the row.
// tests/docs/options_reference.py writes that table, and a test fails until it has been written.
// A value of a new kind is a new type in option_row.h.
#ifndef HELLOCNN_SERVER_CONFIG_OPTIONS_H_
#define HELLOCNN_SERVER_CONFIG_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// The table in options.cc has the meaning, the unit and the range of each.
struct Options {
  std::string listen = "127.0.0.1:8500";
  std::string metrics_listen = "127.0.0.1:9464";
  std::string metrics = "on";
  std::string model = "models/mnist/1";
  std::string engine = "auto";
  int threads = 0;  // ParseOptions sets the CPUs that the cgroup grants
  int max_batch_size = 32;
  int queue_capacity = 4096;
  absl::Duration max_queue_delay;
  int max_images_per_request = 1024;
  absl::Duration drain_timeout = absl::Seconds(30);
  absl::Duration max_connection_age;
  std::string log_level = "info";

  // Checks every range. INVALID_ARGUMENT: names the option, the value and what was wanted.
  absl::Status Validate() const;
};

// One option's effective value and where it came from.
struct OptionSource {
  std::string name;    // "max-batch-size"
  std::string value;   // "32"
  std::string source;  // "default", "flag", "environment HELLOCNN_MAX_BATCH_SIZE", "file a.toml"
};

struct ParsedOptions {
  enum class Action { kServe, kPrintAndExit };

  Action action = Action::kServe;
  std::string text;  // what to print on stdout for kPrintAndExit: help, version, configuration
  Options options;
  std::vector<OptionSource> sources;  // in the order of the table
  // What the operator should hear of, a sentence each: environment variables that look like options
  // and are ignored.
  std::vector<std::string> warnings;
};

// Reads flags, then the environment (HELLOCNN_…), then the file of --config: what comes first wins.
// Blocks while it reads the file. INVALID_ARGUMENT: names the option, where it came from, the value
// and what was wanted; or a flag or a line of the file that is no option.
absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_OPTIONS_H_
