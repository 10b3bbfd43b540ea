// The options of `hellocnn load`, and which of them go together.
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
  // But for target, model, arrivals and when it began.
  load::Setup setup;
  std::vector<double> concurrency{8};
  std::vector<double> rates;          // empty: a closed loop
  std::optional<double> ramp_from;    // a rate
  std::string arrivals = "constant";  // or "poisson", or a file
  absl::Duration duration;            // 0: not given
  absl::Duration deadline;            // of each request; 0: as --timeout says
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
  // The numbers to measure at, one after the other: rates, or requests under way.
  std::vector<double> sweep() const;
};

// Adds them to `load`; they are written to `options`, which must outlive parsing.
void AddLoadOptions(CLI::App& load, LoadOptions& options);

// Once all is parsed. Throws CLI::ValidationError on what does not go together.
void CheckLoadOptions(const CLI::App& load, const LoadOptions& options);

// Adds an option that takes a duration, such as 500ms; more than 24h is refused.
void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 bool may_be_zero, const std::string& help);

// Adds --slo.
CLI::Option& AddSlo(CLI::App& command, std::optional<load::Slo>& slo, const std::string& help);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_LOAD_OPTIONS_H_
