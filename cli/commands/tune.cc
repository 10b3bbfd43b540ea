// hellocnn tune: with which flags does a server take the highest rate within a limit of latency?
#include "loadgen/tune/tune.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/cpu_quota.h"
#include "base/option_limits.h"
#include "cli/app.h"
#include "cli/commands/load_measurer.h"
#include "cli/commands/load_options.h"
#include "cli/interrupt.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/search.h"
#include "loadgen/run/bench.h"
#include "loadgen/run/live_view.h"
#include "loadgen/run/server_process.h"
#include "loadgen/tune/tune_report.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Starts servers of its own on this machine, on free ports, and measures each in
an open loop with Poisson arrivals. What is found holds for this machine, with
the generator on it. docs/load-testing.md says how it searches.

Examples:
  hellocnn tune --slo p99=5ms
  hellocnn tune --slo p99=2ms --budget 5m --duration 3s
  hellocnn tune --slo mean=1ms --try-threads 1,2 --server-option engine=simd)";

constexpr absl::Duration kStartPatience = absl::Minutes(2);
constexpr int kLiveServers =
    2;  // a server that waits costs nothing, and the confirmation goes to and fro

struct Options {
  std::string server_binary;
  std::string model;  // empty: the server's own default
  std::vector<std::string> server_options;
  std::optional<load::Slo> slo;
  std::vector<int> threads;
  std::vector<int> max_batch_sizes = {1, 8, 16, 64, 128};
  std::vector<absl::Duration> max_queue_delays = {absl::Microseconds(100), absl::Microseconds(500),
                                                  absl::Milliseconds(2)};
  int connections = 4;
  int images_per_request = 1;
  double rate = 1000;
  absl::Duration duration = absl::Seconds(1);
  absl::Duration warm_up = absl::Milliseconds(300);
  absl::Duration budget = absl::Minutes(2);
  bool json = false;
};

// Returns the path beside this program, where both are built and installed.
std::string DefaultServerBinary() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "hellocnn-server" : (self.parent_path() / "hellocnn-server").string();
}

// Holds servers with different settings. Each is measured in turn.
class Servers {
 public:
  // All arguments must outlive it.
  Servers(const GlobalOptions& global, const Options& options, const std::atomic<bool>& stop)
      : global_(global), options_(options), stop_(stop) {}

  // `step` names the measurement while it is shown on a terminal.
  absl::StatusOr<load::Trial> Measure(const load::ServerSettings& settings, double rate,
                                      const std::string& step) {
    const absl::StatusOr<const load::Bench*> bench = BenchOf(settings);
    if (!bench.ok()) return bench.status();
    load::Load load;
    load.rate = rate;
    load.limits.warm_up = absl::ToChronoNanoseconds(options_.warm_up);
    load.limits.duration = absl::ToChronoNanoseconds(options_.duration);
    if (stop_.load()) return absl::CancelledError("interrupted");
    std::vector<load::Observer*> observers;
    std::unique_ptr<load::LiveView> live = LiveViewOnTerminal(load.limits, step);
    if (live != nullptr) observers.push_back(live.get());
    const load::Run run = (*bench)->Measure(load, observers, stop_);
    live.reset();
    if (run.outcome.interrupted) return absl::CancelledError("interrupted");
    load::Trial trial;
    trial.settings = settings;
    trial.rate = rate;
    trial.answered_rate = run.outcome.Rate();
    trial.latency_seconds = load::LimitedSeconds(*options_.slo, run.outcome.total);
    trial.verdict = load::WhyNot(*options_.slo, rate, run.outcome);
    trial.generator_bound = !load::JudgeGenerator(run.outcome).empty();
    return trial;
  }

 private:
  struct Live {
    load::ServerSettings settings;
    std::unique_ptr<load::ServerProcess> process;
    std::unique_ptr<load::Bench> bench;
  };

  absl::StatusOr<const load::Bench*> BenchOf(const load::ServerSettings& settings) {
    for (const Live& live : live_) {
      if (live.settings == settings) return live.bench.get();
    }
    if (live_.size() == kLiveServers) live_.pop_front();
    std::vector<std::string> flags = {
        "--listen=127.0.0.1:0",
        "--metrics-listen=off",
        "--log-level=error",
        "--drain-delay=0s",
        absl::StrCat("--threads=", settings.threads),
        absl::StrCat("--max-batch-size=", settings.max_batch_size),
        "--max-queue-delay=" + absl::FormatDuration(settings.max_queue_delay)};
    if (!options_.model.empty()) flags.push_back("--model=" + options_.model);
    for (const std::string& option : options_.server_options) flags.push_back("--" + option);
    absl::StatusOr<std::unique_ptr<load::ServerProcess>> process = load::ServerProcess::Start(
        options_.server_binary, flags, {.patience = kStartPatience, .stop = &stop_});
    if (!process.ok()) return process.status();
    GlobalOptions global = global_;
    global.server = (*process)->address();
    const absl::StatusOr<client::Client> client = Connect(global);
    if (!client.ok()) return client.status();
    load::Setup setup;
    setup.target = global.server;
    setup.arrivals = "poisson";
    setup.connections = options_.connections;
    setup.images_per_request = options_.images_per_request;
    setup.warm_up = options_.warm_up;
    absl::ParseDuration(global.timeout, &setup.timeout);
    absl::StatusOr<load::Bench> bench = load::Bench::Open(*client, std::move(setup), stop_);
    if (!bench.ok()) return bench.status();
    live_.push_back(
        {settings, *std::move(process), std::make_unique<load::Bench>(*std::move(bench))});
    return live_.back().bench.get();
  }

  const GlobalOptions& global_;
  const Options& options_;
  const std::atomic<bool>& stop_;
  std::deque<Live> live_;
};

int Run(const GlobalOptions& global, const Options& options) {
  load::TunePlan plan;
  plan.defaults.threads = GrantedCpus();
  plan.threads = options.threads;
  plan.max_batch_sizes = options.max_batch_sizes;
  plan.max_queue_delays = options.max_queue_delays;
  plan.first_rate = options.rate;
  // With JSON output, the rows are progress; otherwise they are the result.
  std::ostream& rows = options.json ? std::cerr : std::cout;
  int trials = 0;
  int told_step = 0;
  const bool on_terminal = isatty(STDERR_FILENO) == 1;  // where each measurement is shown
  const std::string limited = options.slo->text.substr(0, options.slo->text.find('='));
  const Instant until = Clock::Monotonic()->Now() + options.budget;
  const Interrupt interrupt;
  Servers servers(global, options, interrupt.happened());
  const absl::StatusOr<load::Tuned> tuned = load::Tune(
      plan,
      [&](const load::ServerSettings& settings, double rate,
          const load::TuneStep& step) -> absl::StatusOr<load::Trial> {
        if (!on_terminal && step.number != told_step) {
          std::cerr << "hellocnn: " << load::ToText(step) << std::endl;
        }
        told_step = step.number;
        const absl::Duration left = until - Clock::Monotonic()->Now();
        absl::StatusOr<load::Trial> trial =
            servers.Measure(settings, rate,
                            absl::StrFormat("%s, budget %.0f s", load::ToText(step),
                                            std::max(0.0, absl::ToDoubleSeconds(left))));
        if (!trial.ok()) return trial;
        if (++trials == 1) rows << load::TrialHead(limited);
        rows << load::TrialRow(*trial) << std::flush;
        // Nobody reads what a long search finds.
        if (!rows) return absl::DataLossError("the results cannot be written");
        return trial;
      },
      [&] { return Clock::Monotonic()->Now() < until; });
  if (!tuned.ok()) return Fail(tuned.status());
  std::cout << (options.json ? load::ToJson(*tuned, plan, options.slo->text)
                             : load::Conclusion(*tuned, plan, options.slo->text));
  if (tuned->interrupted) {
    return Fail(absl::CancelledError("interrupted; the report has what was measured until then"));
  }
  return tuned->best_rate.has_value() ? kExitOk : kExitFailed;
}

// Returns 1, the powers of two below the number of CPUs, and that number.
std::vector<int> DefaultThreads() {
  const int cpus = GrantedCpus();
  std::vector<int> threads;
  for (int count = 1; count < cpus; count *= 2) threads.push_back(count);
  threads.push_back(cpus);
  return threads;
}

void AddTried(CLI::App& command, Options& options) {
  command.add_option("--try-threads", options.threads, "values of --threads, besides the default")
      ->delimiter(',')
      ->check(CLI::Range(1, kMostThreads))
      ->type_name("N,...")
      ->default_str("1,2,4,... up to the CPUs");
  command
      .add_option("--try-batch-sizes", options.max_batch_sizes,
                  "values of --max-batch-size, besides the default")
      ->delimiter(',')
      ->check(CLI::Range(1, kLargestBatch))
      ->type_name("N,...")
      ->default_str("1,8,16,64,128");
  command
      .add_option_function<std::vector<std::string>>(
          "--try-queue-delays",
          [&options](const std::vector<std::string>& texts) {
            options.max_queue_delays.clear();
            for (const std::string& text : texts) {
              absl::Duration delay;
              if (!absl::ParseDuration(text, &delay) || delay < absl::ZeroDuration() ||
                  delay > kLongestQueueDelay) {
                throw CLI::ValidationError("--try-queue-delays",
                                           absl::StrCat("'", text, "' is not a duration of 0s to ",
                                                        absl::FormatDuration(kLongestQueueDelay)));
              }
              options.max_queue_delays.push_back(delay);
            }
          },
          "values of --max-queue-delay, besides the default")
      ->delimiter(',')
      ->type_name("DURATION,...")
      ->default_str("100us,500us,2ms");
}

void AddServer(CLI::App& command, Options& options) {
  command
      .add_option("--server-binary", options.server_binary,
                  "server to start; hellocnn-server beside this program by default")
      ->type_name("FILE");
  command
      .add_option("--model", options.model,
                  "folder with the model; the server's own default if not given")
      ->type_name("DIR");
  command
      .add_option("--server-option", options.server_options,
                  "another option of the server, such as engine=simd; may be repeated")
      ->type_name("OPTION=VALUE");
}

void AddMeasurement(CLI::App& command, Options& options) {
  command.add_option("--connections", options.connections, "connections to the server")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--images-per-request", options.images_per_request, "images in each request")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--rate", options.rate, "requests a second to begin with")
      ->check(CLI::Range(1.0, load::kMostRate))
      ->type_name("N")
      ->capture_default_str();
  AddDuration(command, "--duration", options.duration, false,
              "how long to measure at each rate; 1s by default");
  AddDuration(command, "--warm-up", options.warm_up, true,
              "load before each measurement, which does not count; 300ms by default");
  AddDuration(command, "--budget", options.budget, false,
              "time after which nothing but the confirmation is tried; 2m by default");
}

}  // namespace

void AddTune(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command =
      app.add_subcommand("tune", "Searches the server's flags for the highest rate");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  options->threads = DefaultThreads();
  options->server_binary = DefaultServerBinary();
  AddSlo(*command, options->slo, "limit of latency, such as p99=5ms, mean=1ms or max=1s")
      .required();
  AddTried(*command, *options);
  AddServer(*command, *options);
  AddMeasurement(*command, *options);
  AddOutputOption(*command, options->json);
  command->callback([&global, &action, options] {
    action = {
        [&global, options] { return Run(global, *options); },
        {"--server", "--round-robin", "--proxy"},
        "hellocnn tune does not use it, because it starts servers of its own on this machine"};
  });
}

}  // namespace hellocnn::cli
