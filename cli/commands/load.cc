// hellocnn load: what throughput and latency does the server reach?
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/app.h"
#include "cli/commands/load_options.h"
#include "cli/images/render.h"
#include "cli/interrupt.h"
#include "loadgen/core/search.h"
#include "loadgen/report/data_report.h"
#include "loadgen/report/html_report.h"
#include "loadgen/report/prometheus_exporter.h"
#include "loadgen/report/report.h"
#include "loadgen/report/text_report.h"
#include "loadgen/run/bench.h"
#include "loadgen/run/live_view.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Closed loop (--concurrency): so many requests are in flight, and each response lets the next one go. Shows what the server
can do at most, and hides its pauses: while it stalls, nothing is sent. Open loop (--rate): requests go out when
they are due, whatever the server does, and latency counts from that moment. Shows what callers would see.
docs/load-testing.md says how to read the results.

Examples:
  hellocnn load                                                 8 requests in flight for 10 s
  hellocnn load --rate 2000 --arrivals poisson --duration 30s   as independent callers send
  hellocnn load --data data/mnist-test --requests 10000         real digits; wrong answers are counted
  hellocnn load --concurrency 1:64:x2 --duration 5s             a line for each of 1, 2, 4, ... 64
  hellocnn load --find-max-rate --slo p99=5ms                   the highest rate within a limit
  hellocnn load --output json > before.json                     for hellocnn load compare)";

constexpr double kFirstRate = 100;  // first rate of a search, in requests a second

// Returns the settings of the command line and the defaults. INVALID_ARGUMENT: the run would never
// end.
absl::StatusOr<load::Setup> SetupOf(const GlobalOptions& global, const LoadOptions& options) {
  load::Setup setup = options.setup;
  setup.target = global.server;
  setup.arrivals = !options.open_loop()            ? "closed"
                   : options.recorded()            ? "recorded"
                   : options.ramp_from.has_value() ? "ramp"
                                                   : options.arrivals;
  if (options.recorded()) setup.send_times = options.arrivals;
  setup.timeout = options.deadline;
  if (setup.timeout == absl::ZeroDuration()) absl::ParseDuration(global.timeout, &setup.timeout);
  if (setup.timeout == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        "the limit for each call is infinite; load needs an end, such as --deadline 30s");
  }
  return setup;
}

load::Limits LimitsOf(const LoadOptions& options) {
  load::Limits limits;
  limits.warm_up = absl::ToChronoNanoseconds(options.setup.warm_up);
  if (options.requests > 0) limits.requests = options.requests;
  if (options.duration > absl::ZeroDuration()) {
    limits.duration = absl::ToChronoNanoseconds(options.duration);
  } else if (options.requests == 0 && !options.recorded()) {
    limits.duration = std::chrono::seconds(10);
  }
  return limits;
}

int TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void DrawLine(const std::string& line) { std::cerr << "\r\x1b[K" << line << std::flush; }

// Measures at one value after another.
class Measurer {
 public:
  // All arguments must outlive it; `exporter` may be null.
  Measurer(const load::Bench& bench, const LoadOptions& options, load::PrometheusExporter* exporter,
           const std::atomic<bool>& stop)
      : bench_(bench), options_(options), exporter_(exporter), stop_(stop) {}

  // Measures at `value`, a rate or a number of requests in flight. Fails if the server's metrics
  // are wanted but cannot be read.
  absl::StatusOr<load::Run> At(double value) const {
    const absl::StatusOr<std::optional<load::Look>> before = Look();
    if (!before.ok()) return before.status();
    load::Run run = Measure(value);
    const absl::StatusOr<std::optional<load::Look>> after = Look();
    if (!after.ok()) return after.status();
    if (!after->has_value()) return run;
    const absl::StatusOr<load::ServerView> view = load::Difference(**before, **after);
    if (!view.ok()) return view.status();
    run.server = *view;
    return run;
  }

  bool stopped() const { return stop_.load(); }

 private:
  absl::StatusOr<std::optional<load::Look>> Look() const {
    if (options_.server_metrics.empty()) return std::nullopt;
    absl::StatusOr<load::Look> look = load::LookAt(options_.server_metrics);
    if (!look.ok()) return look.status();
    return *std::move(look);
  }

  load::Run Measure(double value) const {
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
    std::vector<load::Observer*> observers;
    if (exporter_ != nullptr) {
      exporter_->SetTargetRate(load.rate);
      observers.push_back(exporter_);
    }
    std::optional<load::LiveView> live;
    if (isatty(STDERR_FILENO) == 1) {
      live.emplace(load.limits, TerminalColumns(), StyleOf(STDERR_FILENO) == Style::kColour,
                   DrawLine);
      observers.push_back(&*live);
    }
    return bench_.Measure(load, observers, stop_);
  }

  const load::Bench& bench_;
  const LoadOptions& options_;
  load::PrometheusExporter* const exporter_;
  const std::atomic<bool>& stop_;
};

// Both functions add their measurements to `report`, even if an error follows.
absl::Status Search(const Measurer& measurer, const LoadOptions& options, load::Report& report) {
  load::RateSearch search(options.rates.empty() ? kFirstRate : options.rates.front(),
                          load::kMostRate);
  report.search = load::Search{options.slo->text, std::nullopt};
  for (auto rate = search.Next(); rate.has_value() && !measurer.stopped(); rate = search.Next()) {
    absl::StatusOr<load::Run> run = measurer.At(*rate);
    if (!run.ok()) return run.status();
    if (run->outcome.interrupted) break;  // it says nothing about this rate
    run->verdict = load::WhyNot(*options.slo, *rate, run->outcome);
    search.Tell(run->verdict.empty());
    report.search->best = search.best();
    report.runs.push_back(*std::move(run));
  }
  return absl::OkStatus();
}

absl::Status Sweep(const Measurer& measurer, const LoadOptions& options, load::Report& report) {
  for (const double value : options.sweep()) {
    if (measurer.stopped()) break;
    absl::StatusOr<load::Run> run = measurer.At(value);
    if (!run.ok()) return run.status();
    report.runs.push_back(*std::move(run));
  }
  return absl::OkStatus();
}

std::string Format(const load::Report& report, const std::string& format) {
  if (format == "json") return load::ToJson(report);
  if (format == "csv") return load::ToCsv(report);
  if (format == "hgrm") return load::ToHgrm(report.runs.front().outcome.total.latency);
  return load::ToText(report);
}

int Run(const GlobalOptions& global, const LoadOptions& options) {
  std::unique_ptr<load::PrometheusExporter> exporter;
  if (!options.prometheus_listen.empty()) {
    auto started = load::PrometheusExporter::Start(options.prometheus_listen);
    if (!started.ok()) return Fail(started.status());
    exporter = *std::move(started);
    std::cerr << "hellocnn: the generator's metrics are on port " << exporter->port() << "\n";
  }
  const absl::StatusOr<load::Setup> setup = SetupOf(global, options);
  if (!setup.ok()) return Fail(setup.status());
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<load::Bench> bench = load::Bench::Open(*client, *setup);
  if (!bench.ok()) return Fail(bench.status());

  const Interrupt interrupt;
  load::Report report{bench->setup(), {}, std::nullopt};
  const Measurer measurer(*bench, options, exporter.get(), interrupt.happened());
  const absl::Status measured =
      options.find_max_rate ? Search(measurer, options, report) : Sweep(measurer, options, report);
  const bool answered =
      std::any_of(report.runs.begin(), report.runs.end(),
                  [](const load::Run& run) { return run.outcome.total.answered() > 0; });
  if (!report.runs.empty()) std::cout << Format(report, options.output);
  if (!report.runs.empty() && !options.html.empty()) {
    std::ofstream file(options.html);
    if (!(file << load::ToHtml(report)).flush()) {
      return Fail(absl::UnavailableError("--html: " + options.html + " cannot be written"));
    }
  }
  if (!measured.ok()) return Fail(measured);
  if (!answered) return Fail(absl::UnavailableError("no request was answered"));
  return report.search.has_value() && !report.search->best.has_value() ? kExitFailed : kExitOk;
}

}  // namespace

void AddLoad(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("load", "Measures rate and latency under load");
  command->footer(kExamples);
  auto options = std::make_shared<LoadOptions>();
  AddLoadOptions(*command, *options);
  AddLoadCompare(*command, action);
  command->callback([&global, &action, command, options] {
    if (!command->get_subcommands().empty()) return;
    CheckLoadOptions(*command, *options);
    action = [&global, options] { return Run(global, *options); };
  });
}

}  // namespace hellocnn::cli
