// hellocnn load: what throughput and latency does the server reach?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cli/app.h"
#include "cli/commands/load_measurer.h"
#include "cli/commands/load_options.h"
#include "cli/commands/mending.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "hellocnn/data/idx.h"
#include "loadgen/core/search.h"
#include "loadgen/report/data_report.h"
#include "loadgen/report/html_report.h"
#include "loadgen/report/prometheus_exporter.h"
#include "loadgen/report/report.h"
#include "loadgen/report/text.h"
#include "loadgen/report/text_report.h"
#include "loadgen/run/bench.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Closed loop (--concurrency): this number of requests is always in flight, and
each response starts the next one. Shows what the server can do at most, and
hides its pauses: while it stalls, nothing is sent.
Open loop (--rate): requests go out when they are due, whatever the server
does, and latency counts from that moment. Shows what callers would see.
The first Ctrl-C ends the measurement with a report, the second the program.
docs/load-testing.md says how to read the results.

Examples:
  hellocnn load                             8 requests in flight for 10 s
  hellocnn load --rate 2000 --arrivals poisson       as independent callers do
  hellocnn load --data data/mnist-test --requests 10000   counts wrong classes
  hellocnn load --concurrency 1:64:x2       a line for each of 1, 2, 4, ... 64
  hellocnn load --find-max-rate --slo p99=5ms   the highest rate within a limit
  hellocnn load --output json > before.json    for hellocnn load compare)";

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
  const load::RunLimits limits = LimitsOf(options);
  if (limits.duration != load::Nanos::max()) setup.duration = absl::FromChrono(limits.duration);
  setup.requests = options.requests;
  setup.timeout = options.deadline;
  if (setup.timeout == absl::ZeroDuration()) absl::ParseDuration(global.timeout, &setup.timeout);
  if (setup.timeout == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        "the limit for each call is infinite; load needs an end, such as --deadline 30s");
  }
  return setup;
}

// Prints the report: a table line by line, as soon as each is known, or all of it at the end.
class Output {
 public:
  // Both arguments must outlive it.
  Output(const LoadOptions& options, const load::Report& report)
      : options_(options), report_(report) {}

  // Prints the last run of the report. Returns false if standard output takes no more.
  bool Add() const {
    const bool first = report_.runs.size() == 1;
    const load::Run& run = report_.runs.back();
    if (options_.output == "csv") {
      std::cout << (first ? load::CsvHead() : "") << load::CsvRow(report_, run);
    } else if (options_.output == "text" && report_.table()) {
      std::cout << (first ? load::TableHead(report_) : "") << load::TableRow(report_, run);
    }
    return std::cout.flush().good();
  }

  void End() const {
    if (options_.output == "text") {
      std::cout << (report_.table() ? load::TableEnd(report_) : load::ToText(report_));
    } else if (options_.output == "json") {
      std::cout << load::ToJson(report_);
    } else if (options_.output == "hgrm") {
      std::cout << load::ToHgrm(report_.runs.front().outcome);
    }
    std::cout << std::flush;
  }

 private:
  const LoadOptions& options_;
  const load::Report& report_;
};

// Both functions add their measurements to `report`, even if an error follows.
absl::Status Search(const Measurer& measurer, const LoadOptions& options, const Output& output,
                    load::Report& report) {
  load::RateSearch search(options.rates.empty() ? kFirstRate : options.rates.front(),
                          load::kMostRate);
  for (auto rate = search.Next(); rate.has_value(); rate = search.Next()) {
    const std::size_t done = report.runs.size();
    absl::StatusOr<load::Run> run = measurer.At(
        *rate, absl::StrCat("step ", done + 1, " of at most ", done + search.MostLeft()));
    if (!run.ok()) return run.status();
    const bool interrupted = run->outcome.interrupted;  // it says nothing about this rate then
    if (!interrupted) {
      run->verdict = load::WhyNot(*options.slo, *rate, run->outcome);
      search.Tell(run->verdict.empty());
      report.search->best = search.best();
    }
    report.runs.push_back(*std::move(run));
    if (!output.Add() || interrupted) return absl::OkStatus();
  }
  report.search->complete = true;
  return absl::OkStatus();
}

absl::Status Sweep(const Measurer& measurer, const LoadOptions& options, const Output& output,
                   load::Report& report) {
  const std::vector<double> values = options.sweep();
  for (std::size_t i = 0; i < values.size(); ++i) {
    absl::StatusOr<load::Run> run = measurer.At(
        values[i], values.size() == 1 ? "" : absl::StrCat("step ", i + 1, " of ", values.size()));
    if (!run.ok()) return run.status();
    report.runs.push_back(*std::move(run));
    if (!output.Add() || report.interrupted()) break;
  }
  return absl::OkStatus();
}

// Says how the images should have been presented, if that is why most of them were wrong.
void Hint(const client::Client& client, const load::Report& report) {
  constexpr int kBatch = 64;
  const load::Setup& setup = report.setup;
  const load::Tally& total = report.runs.back().outcome.total;
  const double accuracy = 1 - load::Share(total.wrong, total.images);
  if (setup.data.empty() || total.images == 0 || accuracy >= kSuspiciousAccuracy) return;
  const absl::StatusOr<client::ModelInfo> model = client.GetModel({.model = setup.wanted_model});
  if (!model.ok()) return;
  EvaluationOptions evaluation;
  evaluation.classes = static_cast<int>(model->labels.size());
  evaluation.model = setup.wanted_model;
  evaluation.batch = std::clamp(model->limits.max_images_per_request, 1, kBatch);
  absl::StatusOr<LabeledImages> set = ReadMnist(setup.data, "t10k", evaluation.classes);
  if (!set.ok() || set->count() == 0) return;
  Mend(setup.mending, *set);
  const std::string hint = FindMending(client, *set, *model, accuracy, setup.mending, evaluation);
  if (!hint.empty()) std::cerr << "hellocnn: hint: " << hint << "\n";
}

int Run(const GlobalOptions& global, const LoadOptions& options) {
  const Interrupt interrupt;
  std::optional<OutputFile> html;
  if (!options.html.empty()) {
    absl::StatusOr<OutputFile> opened = OutputFile::Open(options.html);
    if (!opened.ok()) return Fail(opened.status());
    html.emplace(*std::move(opened));
  }
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
  const absl::StatusOr<load::Bench> bench =
      load::Bench::Open(*client, *setup, interrupt.happened());
  if (!bench.ok()) return Fail(bench.status());

  load::Report report{bench->setup(), {}, std::nullopt, static_cast<int>(options.sweep().size())};
  if (options.find_max_rate) report.search = load::Search{options.slo->text, std::nullopt, false};
  const Measurer measurer(*bench, options, exporter.get(), interrupt.happened());
  const Output output(options, report);
  const absl::Status measured = options.find_max_rate ? Search(measurer, options, output, report)
                                                      : Sweep(measurer, options, output, report);
  if (!report.runs.empty()) {
    output.End();
    if (html.has_value()) {
      if (absl::Status written = html->Write(load::ToHtml(report)); !written.ok()) {
        return Fail(written);
      }
    }
  }
  if (!measured.ok()) return Fail(measured);
  if (report.interrupted()) {
    return Fail(absl::CancelledError("interrupted; the report has what was measured until then"));
  }
  Hint(*client, report);
  const bool any = std::any_of(report.runs.begin(), report.runs.end(), [](const load::Run& run) {
    return run.outcome.total.answered() > 0;
  });
  if (!any) return Fail(absl::UnavailableError("no request succeeded"));
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
    action = {[&global, options] { return Run(global, *options); }};
  });
}

}  // namespace hellocnn::cli
