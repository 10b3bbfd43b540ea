// The options of `hellocnn load`, and which of them can be combined.
#ifndef HELLOCNN_CLI_COMMANDS_LOAD_OPTIONS_H_
#define HELLOCNN_CLI_COMMANDS_LOAD_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "loadgen/core/search.h"
#include "loadgen/report/report.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hellocnn::cli {

struct LoadOptions {
  // Everything except target, model, arrivals and the start time.
  load::Setup setup;
  std::vector<double> concurrency{8};
  std::vector<double> rates;          // empty: a closed loop
  std::optional<double> ramp_from;    // a rate, in requests a second
  std::string arrivals = "constant";  // or "poisson", or a file
  absl::Duration duration;            // 0: not given
  absl::Duration deadline;            // deadline of each request; 0: the value of --timeout
  std::int64_t requests = 0;          // 0: not given
  absl::Duration window;              // 0: not given
  load::SteadyBy steady_by = load::SteadyBy::kP50;
  bool until_steady = false;
  std::string output = "text";
  std::string html;
  std::string prometheus_listen;
  std::string server_metrics;  // URL
  bool find_max_rate = false;
  std::optional<load::Slo> slo;

  bool recorded() const { return arrivals != "constant" && arrivals != "poisson"; }
  bool open_loop() const { return !rates.empty() || recorded() || find_max_rate; }
  // Returns the numbers to measure at in turn: rates, or requests in flight.
  std::vector<double> sweep() const;
};

// Adds the options to `load`. Parsing writes them to `options`, which must outlive it.
void AddLoadOptions(CLI::App& load, LoadOptions& options);

// Checks the options after parsing. Throws CLI::ValidationError if options cannot be combined.
void CheckLoadOptions(const CLI::App& load, const LoadOptions& options);

// Adds an option that takes a duration, such as 500ms. More than 24h is rejected.
void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 bool may_be_zero, const std::string& help);

// Adds --slo.
CLI::Option& AddSlo(CLI::App& command, std::optional<load::Slo>& slo, const std::string& help);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_LOAD_OPTIONS_H_
