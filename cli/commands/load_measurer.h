// Measures for `hellocnn load`, at one value after another.
#ifndef HELLOCNN_CLI_COMMANDS_LOAD_MEASURER_H_
#define HELLOCNN_CLI_COMMANDS_LOAD_MEASURER_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cli/commands/load_options.h"
#include "loadgen/report/prometheus_exporter.h"
#include "loadgen/report/report.h"
#include "loadgen/run/bench.h"
#include "loadgen/run/live_view.h"

namespace hellocnn::cli {

// Thread-compatible.
class Measurer {
 public:
  // All arguments must outlive it; `exporter` may be null.
  Measurer(const load::Bench& bench, const LoadOptions& options, load::PrometheusExporter* exporter,
           const std::atomic<bool>& stop)
      : bench_(bench), options_(options), exporter_(exporter), stop_(stop) {}

  // Measures at `value`, a rate or a number of requests in flight. Blocks. Standard error says
  // which `step` this is, such as "step 2 of 7", unless it is empty; on a terminal it shows
  // progress too. If the measurement has been stopped, returns at once an interrupted run without
  // requests. Fails if the server's metrics are wanted and cannot be read before the first request.
  absl::StatusOr<load::Run> At(double value, const std::string& step) const;

 private:
  load::Run Measure(const load::Load& load, const std::string& step) const;

  const load::Bench& bench_;
  const LoadOptions& options_;
  load::PrometheusExporter* const exporter_;
  const std::atomic<bool>& stop_;
};

// Returns a view of a run on standard error, named by `step`, or null if that is no terminal.
std::unique_ptr<load::LiveView> LiveViewOnTerminal(const load::RunLimits& limits,
                                                   const std::string& step);

// Returns what ends a run with these options.
load::RunLimits LimitsOf(const LoadOptions& options);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_LOAD_MEASURER_H_
