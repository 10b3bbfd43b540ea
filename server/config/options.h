// Every setting of the server, and where each value came from.
#ifndef HELLOCNN_SERVER_CONFIG_OPTIONS_H_
#define HELLOCNN_SERVER_CONFIG_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::server {

struct Options {
  std::string listen = "127.0.0.1:8500";  // host:port for gRPC; port 0 picks a free one
  std::string metrics_listen =
      "127.0.0.1:9464";  // host:port for Prometheus; "off" for none; port 0 picks a free one
  std::string model = "models/mnist/1";  // folder with model_card.json and weights
  std::string engine = "auto";           // auto, simd, torch, torch-eager
  int threads = 0;            // workers, 1 to 1024; the default is the CPUs that the cgroup grants
  int max_batch_size = 32;    // images, 1 to 1024
  int queue_capacity = 4096;  // images, >= max_batch_size
  absl::Duration max_queue_delay;                    // 0 to 1 s
  int max_images_per_request = 1024;                 // 1 to queue_capacity
  absl::Duration drain_timeout = absl::Seconds(30);  // 0 s to 1 h; then what is left is cancelled
  absl::Duration max_connection_age;                 // 1 s to 24 h, or 0: connections last for ever
  std::string log_level = "info";                    // debug, info, warn, error, off

  // INVALID_ARGUMENT names the option, the value and the range.
  absl::Status Validate() const;
};

// One option's effective value and where it came from.
struct OptionSource {
  std::string name;   // "max-batch-size"
  std::string value;  // "32"
  std::string
      source;  // "default", "flag", "environment HELLOCNN_MAX_BATCH_SIZE", "file server.toml"
};

struct ParsedOptions {
  enum class Action { kServe, kPrintAndExit };

  Action action = Action::kServe;
  std::string text;  // what to print on stdout for kPrintAndExit: help, version, configuration
  Options options;
  std::vector<OptionSource> sources;
};

// Reads flags, then the environment (HELLOCNN_…), then the file of --config: what comes first wins.
// INVALID_ARGUMENT names the option, where it came from, the value and what was wanted.
absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_OPTIONS_H_
