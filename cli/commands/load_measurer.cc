#include "cli/commands/load_measurer.h"

#include <unistd.h>

#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/images/render.h"
#include "cli/terminal.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {
std::unique_ptr<load::LiveView> LiveViewOnTerminal(const load::RunLimits& limits,
                                                   const std::string& step) {
  if (isatty(STDERR_FILENO) != 1) return nullptr;
  return std::make_unique<load::LiveView>(
      limits, step, static_cast<int>(TerminalColumns()), StyleOf(STDERR_FILENO) == Style::kColour,
      [line = std::make_shared<StatusLine>(true)](const std::string& text) { line->Draw(text); });
}

load::RunLimits LimitsOf(const LoadOptions& options) {
  load::RunLimits limits;
  limits.warm_up = absl::ToChronoNanoseconds(options.setup.warm_up);
  if (options.requests > 0) limits.requests = options.requests;
  if (options.duration > absl::ZeroDuration()) {
    limits.duration = absl::ToChronoNanoseconds(options.duration);
  } else if (options.requests == 0 && !options.recorded()) {
    limits.duration = std::chrono::seconds(10);
  }
  return limits;
}

absl::StatusOr<load::Run> Measurer::At(double value, const std::string& step) const {
  load::Load load;
  load.limits = LimitsOf(options_);
  load.windows = {absl::ToChronoNanoseconds(options_.window), options_.steady_by,
                  options_.until_steady};
  load.ramp_from = options_.ramp_from.value_or(0);
  if (options_.open_loop()) {
    load.rate = value;
  } else {
    load.concurrency = static_cast<int>(value);
  }
  if (stop_.load()) return bench_.Interrupted(load);
  if (options_.server_metrics.empty()) return Measure(load, step);

  const absl::StatusOr<load::Look> before = load::LookAt(options_.server_metrics, stop_);
  if (absl::IsCancelled(before.status())) return bench_.Interrupted(load);
  if (!before.ok()) return before.status();
  load::Run run = Measure(load, step);
  // What was measured is worth reporting, whatever has become of the server.
  const absl::StatusOr<load::Look> after = load::LookAt(options_.server_metrics, stop_);
  if (after.ok()) {
    run.server = load::Difference(*before, *after);
  } else {
    run.server.emplace().problem = std::string(after.status().message());
  }
  return run;
}

load::Run Measurer::Measure(const load::Load& load, const std::string& step) const {
  std::vector<load::Observer*> observers;
  if (exporter_ != nullptr) {
    exporter_->SetTargetRate(load.rate);
    observers.push_back(exporter_);
  }
  const std::unique_ptr<load::LiveView> live = LiveViewOnTerminal(load.limits, step);
  if (live != nullptr) {
    observers.push_back(live.get());
  } else if (!step.empty()) {
    std::cerr << "hellocnn: " << step << ": "
              << (load.rate > 0 ? load::Exact(load.rate) + " requests/s"
                                : load::Grouped(load.concurrency) + " in flight")
              << std::endl;
  }
  return bench_.Measure(load, observers, stop_);
}

}  // namespace hellocnn::cli
