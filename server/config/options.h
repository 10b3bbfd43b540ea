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
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// The table in options.cc has the meaning, the unit and the range of each.
struct Options {
  std::string listen = "127.0.0.1:8500";
  std::string transport = "http2";
  std::string reflection = "on";
  std::string http_listen = "off";
  std::string http_cors_origin = "off";
  std::string metrics_listen = "127.0.0.1:9464";
  std::string metrics = "on";
  std::string probe_listen = "off";
  std::string model = "models/mnist/2";
  std::string model_versions = "latest";
  std::string default_model = "auto";
  absl::Duration model_poll_interval = absl::Seconds(1);
  absl::Duration rollback_window = absl::Minutes(10);
  std::string model_control = "off";
  std::string engine = "auto";
  std::string allow_degenerate_model = "off";
  int threads = 0;  // ParseOptions sets the CPUs that the cgroup grants
  int max_batch_size = 32;
  int queue_capacity = 4096;
  absl::Duration max_queue_delay;
  std::string queue_policy = "fair";
  int max_images_per_request = 1024;
  absl::Duration drain_delay = absl::Seconds(5);
  absl::Duration drain_timeout = absl::Seconds(30);
  absl::Duration max_connection_age;
  std::string tls_cert = "off";
  std::string tls_key = "off";
  std::string tls_client_ca = "off";
  std::string tls_client_names = "off";
  std::string tls_ports = "grpc,http";
  std::string access_file = "off";
  int max_connections = 4096;
  int max_connections_per_address = 1024;
  absl::Duration idle_timeout = absl::Minutes(30);
  absl::Duration keepalive_interval = absl::Minutes(1);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  int buffer_memory = 64;
  std::string log_level = "info";
  std::string log_format = "text";
  absl::Duration log_slow_requests = absl::Seconds(1);
  int access_log_sample = 0;

  // Checks every range, that the transport has what differs from the defaults, and that options
  // that belong together are there.
  // INVALID_ARGUMENT: names the option, the value and what was wanted.
  absl::Status Validate() const;
};

// Returns true if `port`, "grpc", "http" or "metrics", is one of --tls-ports.
bool UsesTls(const Options& options, absl::string_view port);

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
