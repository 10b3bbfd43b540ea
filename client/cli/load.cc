// hellocnn load: how many requests can the server answer, and how fast?
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/app.h"
#include "client/cli/render.h"
#include "client/load/classify_protocol.h"
#include "client/load/html_report.h"
#include "client/load/live_view.h"
#include "client/load/prometheus_exporter.h"
#include "client/load/report.h"
#include "client/load/run.h"
#include "client/load/search.h"
#include "client/load/sweep.h"

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

constexpr int kGeneratedImages = 1024;
constexpr double kMostRate = 1e6;
constexpr double kFirstRate = 100;  // of a search

struct Options {
  std::vector<double> concurrency{8};
  std::vector<double> rates;  // empty: a closed loop
  std::optional<double> ramp_from;
  std::string arrivals = "constant";
  int connections = 1;
  int threads = 1;
  int most_in_flight = 4096;
  int images_per_request = 1;
  std::string mode = "unary";
  std::string pixel_format = "gray8";
  std::string data;
  absl::Duration duration = absl::ZeroDuration();  // 0: not given
  absl::Duration warm_up = absl::Seconds(1);
  absl::Duration deadline = absl::ZeroDuration();  // 0: as --timeout says
  std::int64_t requests = 0;                       // 0: not given
  std::uint64_t seed = 1;
  std::string output = "text";
  std::string html;
  std::string prometheus_listen;
  bool find_max_rate = false;
  std::optional<load::Slo> slo;

  bool open_loop() const { return !rates.empty() || recorded() || find_max_rate; }
  bool recorded() const { return arrivals != "constant" && arrivals != "poisson"; }
};

std::atomic<bool> interrupted = false;

// The first Ctrl-C ends the measurement, the second the program.
void OnInterrupt(int) {
  interrupted.store(true);
  std::signal(SIGINT, SIG_DFL);
}

load::Nanos ToNanos(absl::Duration duration) { return absl::ToChronoNanoseconds(duration); }

// Everything that a run needs besides the number that a sweep varies.
struct Bench {
  std::unique_ptr<load::Protocol> protocol;
  load::Channels channels;
  std::shared_ptr<const std::vector<load::Nanos>> send_times;  // of recorded arrivals
  load::Setup setup;
  load::Plan plan;  // but for arrivals and in_flight
};

absl::StatusOr<Bench> Prepare(const GlobalOptions& global, const Options& options) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return client.status();
  const absl::StatusOr<client::ModelInfo> model = client->GetModel();
  if (!model.ok()) return model.status();
  const int most = model->limits.max_images_per_request;
  if (options.images_per_request > most) {
    return absl::InvalidArgumentError(absl::StrCat("--images-per-request is ",
                                                   options.images_per_request,
                                                   "; the server takes at most ", most));
  }
  Bench bench;
  const load::PixelOptions pixels{options.pixel_format == "float32", model->preprocessing};
  absl::StatusOr<load::Images> images =
      options.data.empty() ? load::GenerateImages(kGeneratedImages, options.seed, pixels)
                           : load::ReadImages(options.data, pixels);
  if (!images.ok()) return images.status();
  absl::Duration timeout = options.deadline;
  if (timeout == absl::ZeroDuration()) absl::ParseDuration(global.timeout, &timeout);
  if (timeout == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        "the limit for each call is infinite; load needs an end, such as --deadline 30s");
  }
  bench.plan.timeout = ToNanos(timeout);
  bench.protocol = load::ClassifyProtocol(
      *images, {options.mode == "stream", options.images_per_request, bench.plan.timeout});
  if (options.recorded()) {
    absl::StatusOr<std::vector<load::Nanos>> times = load::ReadSendTimes(options.arrivals);
    if (!times.ok()) return times.status();
    bench.send_times = std::make_shared<const std::vector<load::Nanos>>(*std::move(times));
  }
  absl::StatusOr<load::Channels> channels =
      load::Connect(global.server, options.connections, ToNanos(absl::Seconds(10)));
  if (!channels.ok()) return channels.status();
  bench.channels = *std::move(channels);

  bench.plan.threads = options.threads;
  bench.plan.limits.warm_up = ToNanos(options.warm_up);
  if (options.requests > 0) bench.plan.limits.requests = options.requests;
  if (options.duration > absl::ZeroDuration()) {
    bench.plan.limits.duration = ToNanos(options.duration);
  } else if (options.requests == 0 && !options.recorded()) {
    bench.plan.limits.duration = ToNanos(absl::Seconds(10));
  }
  load::Setup& setup = bench.setup;
  setup.target = global.server;
  setup.model = model->name + "/" + model->version;
  setup.arrivals = !options.open_loop() ? "closed"
                   : options.recorded() ? "recorded"
                                        : options.arrivals;
  if (options.ramp_from.has_value()) setup.arrivals = "ramp";
  setup.mode = options.mode;
  setup.pixel_format = options.pixel_format;
  setup.data = options.data;
  setup.images_per_request = options.images_per_request;
  setup.connections = options.connections;
  setup.threads = options.threads;
  setup.most_in_flight = options.most_in_flight;
  setup.warm_up_seconds = absl::ToDoubleSeconds(options.warm_up);
  setup.timeout_seconds = absl::ToDoubleSeconds(timeout);
  setup.seed = options.seed;
  setup.started_at = absl::ToUnixSeconds(absl::Now());
  return bench;
}

int TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void DrawLine(const std::string& line) { std::cerr << "\r\x1b[K" << line << std::flush; }

load::Run MeasureAt(double value, const Bench& bench, const Options& options,
                    load::PrometheusExporter* exporter) {
  load::Run run;
  load::Plan plan = bench.plan;
  plan.in_flight = options.most_in_flight;
  if (options.recorded()) {
    plan.arrivals = [times = bench.send_times] { return load::RecordedArrivals(times); };
  } else if (!options.open_loop()) {
    run.concurrency = static_cast<int>(value);
    plan.in_flight = run.concurrency;
  } else {
    run.rate = value;
    const bool poisson = options.arrivals == "poisson";
    const load::Nanos all = plan.limits.warm_up + plan.limits.duration;
    plan.arrivals = [value, poisson, all, seed = options.seed, from = options.ramp_from] {
      if (from.has_value()) return load::RampArrivals(*from, value, all);
      return poisson ? load::PoissonArrivals(value, seed) : load::ConstantArrivals(value);
    };
  }
  std::vector<load::Observer*> observers;
  if (exporter != nullptr) {
    exporter->SetTargetRate(run.rate);
    observers.push_back(exporter);
  }
  std::optional<load::LiveView> live;
  if (isatty(STDERR_FILENO) == 1) {
    live.emplace(plan.limits, TerminalColumns(), StyleOf(STDERR_FILENO) == Style::kColour,
                 DrawLine);
    observers.push_back(&*live);
  }
  run.outcome = load::Measure(plan, *bench.protocol, bench.channels, observers, interrupted);
  return run;
}

void Search(const Bench& bench, const Options& options, load::PrometheusExporter* exporter,
            load::Report& report) {
  load::RateSearch search(options.rates.empty() ? kFirstRate : options.rates.front(), kMostRate);
  for (auto rate = search.Next(); rate.has_value() && !interrupted.load(); rate = search.Next()) {
    load::Run run = MeasureAt(*rate, bench, options, exporter);
    if (run.outcome.interrupted) break;  // it says nothing about this rate
    run.verdict = load::WhyNot(*options.slo, *rate, run.outcome);
    search.Tell(run.verdict.empty());
    report.runs.push_back(std::move(run));
  }
  report.search = load::Search{options.slo->text, search.best()};
}

void Sweep(const Bench& bench, const Options& options, load::PrometheusExporter* exporter,
           load::Report& report) {
  const std::vector<double> once{0};
  const std::vector<double>& values = options.recorded()    ? once
                                      : options.open_loop() ? options.rates
                                                            : options.concurrency;
  for (const double value : values) {
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

int Run(const GlobalOptions& global, const Options& options) {
  std::unique_ptr<load::PrometheusExporter> exporter;
  if (!options.prometheus_listen.empty()) {
    auto started = load::PrometheusExporter::Start(options.prometheus_listen);
    if (!started.ok()) return Fail(started.status());
    exporter = *std::move(started);
    std::cerr << "hellocnn: the generator's metrics are on port " << exporter->port() << "\n";
  }
  absl::StatusOr<Bench> bench = Prepare(global, options);
  if (!bench.ok()) return Fail(bench.status());

  interrupted.store(false);
  const auto previous = std::signal(SIGINT, OnInterrupt);
  load::Report report{bench->setup, {}, std::nullopt};
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

// What --duration and its like take.
void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 bool may_be_zero, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&duration, may_be_zero, name](const std::string& text) {
            if (!absl::ParseDuration(text, &duration)) {
              throw CLI::ValidationError(
                  name, "'" + text +
                            "' is not a duration; wanted is a number with a unit, such as 500ms, "
                            "5s or 2m");
            }
            if (duration < absl::ZeroDuration() || duration > absl::Hours(24) ||
                (duration == absl::ZeroDuration() && !may_be_zero)) {
              throw CLI::ValidationError(
                  name, text + " is not within " + (may_be_zero ? "0" : "more than 0") + " to 24h");
            }
          },
          help)
      ->type_name("DURATION");
}

void AddSweep(CLI::App& command, const std::string& name, std::vector<double>& values,
              double largest, bool whole, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&values, largest, whole, name](const std::string& text) {
            const absl::StatusOr<std::vector<double>> sweep = load::ParseSweep(text, largest);
            if (!sweep.ok()) {
              throw CLI::ValidationError(name, std::string(sweep.status().message()));
            }
            for (const double value : *sweep) {
              if (whole && value != std::floor(value)) {
                throw CLI::ValidationError(
                    name, absl::StrCat("'", text, "' makes ", value, "; wanted are whole numbers"));
              }
            }
            values = *sweep;
          },
          help)
      ->type_name("N|SWEEP");
}

}  // namespace

void AddLoad(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("load", "Measures rate and latency under load");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  AddSweep(*command, "--concurrency", options->concurrency, 65536, /*whole=*/true,
           "closed loop: requests under way, or several numbers in turn as 1:64:x2 or 8:32:+8; "
           "without, 8");
  AddSweep(*command, "--rate", options->rates, kMostRate, /*whole=*/false,
           "open loop: requests a second, or several numbers in turn as 1000:5000:+1000");
  command
      ->add_option("--ramp-from", options->ramp_from,
                   "open loop: begin with this rate and change it in a straight line, over warm-up "
                   "and --duration, to --rate")
      ->check(CLI::Range(0.0, kMostRate))
      ->type_name("N");
  command
      ->add_option("--arrivals", options->arrivals,
                   "open loop: constant or poisson gaps, or a file of send times in seconds, one a "
                   "line, which needs no --rate")
      ->type_name("KIND|FILE")
      ->capture_default_str();
  command->add_option("--connections", options->connections, "connections to the server")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option(
          "--threads", options->threads,
          "threads that work on connections, each with its share; an open loop has as many "
          "again that send")
      ->check(CLI::Range(1, 256))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--max-in-flight", options->most_in_flight,
                   "open loop: more requests than this under way are held back; their latency "
                   "counts from when they were due all the same")
      ->check(CLI::Range(1, 65536))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--images-per-request", options->images_per_request, "images in each request")
      ->check(CLI::Range(1, 65536))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--mode", options->mode,
                   "unary: a call for each request; stream: one stream for each connection")
      ->check(CLI::IsMember({"unary", "stream"}))
      ->type_name("MODE")
      ->capture_default_str();
  command
      ->add_option("--pixel-format", options->pixel_format,
                   "gray8, a byte a pixel, or float32, four, normalised by this program")
      ->check(CLI::IsMember({"gray8", "float32"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command
      ->add_option("--data", options->data,
                   "folder of MNIST's t10k IDX files, whose labels are compared with the answers; "
                   "without, generated images")
      ->type_name("DIR");
  AddDuration(*command, "--duration", options->duration, false,
              "how long to measure; without --requests, 10s");
  command
      ->add_option("--requests", options->requests,
                   "how many requests to measure; with --duration, whichever ends first")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 50))
      ->type_name("N");
  AddDuration(*command, "--warm-up", options->warm_up, true,
              "load before the measurement, which does not count; without, 1s");
  AddDuration(*command, "--deadline", options->deadline, false,
              "limit for each request; without, that of --timeout");
  command->add_option("--seed", options->seed, "of generated images and of poisson arrivals")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--output", options->output,
                   "text for people; json, one document; csv, a line for each run; hgrm, "
                   "HdrHistogram's percentiles of the latency in ms")
      ->check(CLI::IsMember({"text", "json", "csv", "hgrm"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command
      ->add_option("--html", options->html,
                   "also write a page with plots, which needs nothing but itself")
      ->type_name("FILE");
  command
      ->add_option("--prometheus-listen", options->prometheus_listen,
                   "serve the generator's own metrics on http://HOST:PORT/metrics while it runs")
      ->type_name("HOST:PORT");
  command->add_flag("--find-max-rate", options->find_max_rate,
                    "search for the highest rate that keeps --slo, from --rate or 100 on");
  command
      ->add_option_function<std::string>(
          "--slo",
          [options](const std::string& text) {
            absl::StatusOr<load::Slo> slo = load::Slo::Parse(text);
            if (!slo.ok()) throw CLI::ValidationError("--slo", std::string(slo.status().message()));
            options->slo = *std::move(slo);
          },
          "limit of latency for --find-max-rate, such as p99=5ms, mean=1ms or max=1s")
      ->type_name("LIMIT");
  AddLoadCompare(*command, action);
  command->callback([&global, &action, command, options] {
    if (!command->get_subcommands().empty()) return;
    if (options->find_max_rate != options->slo.has_value()) {
      throw CLI::ValidationError("--find-max-rate", "and --slo need each other");
    }
    if (options->find_max_rate && (options->rates.size() > 1 || options->recorded())) {
      throw CLI::ValidationError("--find-max-rate",
                                 "begins with one --rate and chooses the others");
    }
    if (command->count("--concurrency") > 0 && options->open_loop()) {
      throw CLI::ValidationError("--concurrency",
                                 "is for a closed loop, --rate and --arrivals for an open one");
    }
    if (options->recorded() && !options->rates.empty()) {
      throw CLI::ValidationError("--rate", "the file of --arrivals says when to send");
    }
    if (command->count("--arrivals") > 0 && !options->open_loop()) {
      throw CLI::ValidationError("--arrivals", options->arrivals + " needs --rate");
    }
    if (command->count("--max-in-flight") > 0 && !options->open_loop()) {
      throw CLI::ValidationError("--max-in-flight", "is for an open loop; see --concurrency");
    }
    if (options->ramp_from.has_value() &&
        (options->rates.empty() || options->find_max_rate || options->requests > 0 ||
         options->arrivals != "constant")) {
      throw CLI::ValidationError("--ramp-from",
                                 "needs --rate, constant arrivals and a --duration, without "
                                 "--requests and --find-max-rate");
    }
    if (options->threads > options->connections) {
      throw CLI::ValidationError(
          "--threads", absl::StrCat("is ", options->threads, " and --connections ",
                                    options->connections, "; each thread needs a connection"));
    }
    if (options->output == "hgrm" &&
        (options->find_max_rate ||
         (options->open_loop() ? options->rates : options->concurrency).size() > 1)) {
      throw CLI::ValidationError("--output", "hgrm is of one measurement, not of many");
    }
    action = [&global, options] { return Run(global, *options); };
  });
}

}  // namespace hellocnn::cli
