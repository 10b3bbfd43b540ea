// hellocnn load: how many requests can the server answer, and how fast?
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "client/cli/app.h"
#include "client/cli/load_options.h"
#include "client/cli/render.h"
#include "client/load/bench.h"
#include "client/load/data_report.h"
#include "client/load/html_report.h"
#include "client/load/live_view.h"
#include "client/load/prometheus_exporter.h"
#include "client/load/report.h"
#include "client/load/search.h"
#include "client/load/text_report.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Closed loop (--concurrency): so many requests are under way, and each answer lets the next one go. Shows what the server
can do at most, and hides its pauses: while it stalls, nothing is sent. Open loop (--rate): requests go out when
they are due, whatever the server does, and latency counts from that moment. Shows what callers would see.
docs/load-testing.md says how to read the results.

Examples:
  hellocnn load                                                 8 requests under way for 10 s
  hellocnn load --rate 2000 --arrivals poisson --duration 30s   as independent callers send
  hellocnn load --data data/mnist-test --requests 10000         real digits; wrong answers are counted
  hellocnn load --concurrency 1:64:x2 --duration 5s             a line for each of 1, 2, 4, ... 64
  hellocnn load --find-max-rate --slo p99=5ms                   the highest rate within a limit
  hellocnn load --output json > before.json                     for hellocnn load compare)";

constexpr double kFirstRate = 100;  // of a search

std::atomic<bool> interrupted = false;

// The first Ctrl-C ends the measurement, the second the program.
void OnInterrupt(int) {
  interrupted.store(true);
  std::signal(SIGINT, SIG_DFL);
}

// What is asked for, on the command line and by default. INVALID_ARGUMENT: it has no end.
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

load::Run MeasureAt(double value, const load::Bench& bench, const LoadOptions& options,
                    load::PrometheusExporter* exporter) {
  load::Load load;
  load.limits = LimitsOf(options);
  load.windows = {absl::ToChronoNanoseconds(options.window), options.steady_by,
                  options.until_steady};
  load.ramp_from = options.ramp_from.value_or(0);
  if (options.open_loop()) {
    load.rate = value;
  } else {
    load.concurrency = static_cast<int>(value);
  }
  std::vector<load::Observer*> observers;
  if (exporter != nullptr) {
    exporter->SetTargetRate(load.rate);
    observers.push_back(exporter);
  }
  std::optional<load::LiveView> live;
  if (isatty(STDERR_FILENO) == 1) {
    live.emplace(load.limits, TerminalColumns(), StyleOf(STDERR_FILENO) == Style::kColour,
                 DrawLine);
    observers.push_back(&*live);
  }
  return bench.Measure(load, observers, interrupted);
}

void Search(const load::Bench& bench, const LoadOptions& options,
            load::PrometheusExporter* exporter, load::Report& report) {
  load::RateSearch search(options.rates.empty() ? kFirstRate : options.rates.front(),
                          load::kMostRate);
  for (auto rate = search.Next(); rate.has_value() && !interrupted.load(); rate = search.Next()) {
    load::Run run = MeasureAt(*rate, bench, options, exporter);
    if (run.outcome.interrupted) break;  // it says nothing about this rate
    run.verdict = load::WhyNot(*options.slo, *rate, run.outcome);
    search.Tell(run.verdict.empty());
    report.runs.push_back(std::move(run));
  }
  report.search = load::Search{options.slo->text, search.best()};
}

void Sweep(const load::Bench& bench, const LoadOptions& options, load::PrometheusExporter* exporter,
           load::Report& report) {
  for (const double value : options.sweep()) {
    if (interrupted.load()) return;
    report.runs.push_back(MeasureAt(value, bench, options, exporter));
  }
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

  interrupted.store(false);
  const auto previous = std::signal(SIGINT, OnInterrupt);
  load::Report report{bench->setup(), {}, std::nullopt};
  if (options.find_max_rate) {
    Search(*bench, options, exporter.get(), report);
  } else {
    Sweep(*bench, options, exporter.get(), report);
  }
  std::signal(SIGINT, previous);
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
