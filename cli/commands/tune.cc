// hellocnn tune: with which flags does a server take the highest rate within a limit of latency?
#include "loadgen/tune/tune.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/cpu_quota.h"
#include "cli/app.h"
#include "cli/commands/load_options.h"
#include "cli/interrupt.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/search.h"
#include "loadgen/report/text.h"
#include "loadgen/run/bench.h"
#include "loadgen/run/server_process.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Starts servers of its own on this machine, on free ports, and measures each in an open loop with Poisson arrivals. What
is found holds for this machine, with the generator on it.
docs/load-testing.md says how it searches.

Examples:
  hellocnn tune --slo p99=5ms
  hellocnn tune --slo p99=2ms --budget 5m --duration 3s
  hellocnn tune --slo mean=1ms --try-threads 1,2 --try-batch-sizes 1,32 --server-option engine=simd)";

constexpr absl::Duration kStartPatience = absl::Minutes(2);
constexpr int kLiveServers =
    2;  // a server that waits costs nothing, and the confirmation goes to and fro

using Json = nlohmann::ordered_json;

struct Options {
  std::string server_binary;
  std::string model = "models/mnist/1";
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

  absl::StatusOr<load::Trial> Measure(const load::ServerSettings& settings, double rate) {
    const absl::StatusOr<const load::Bench*> bench = BenchOf(settings);
    if (!bench.ok()) return bench.status();
    load::Load load;
    load.rate = rate;
    load.limits.warm_up = absl::ToChronoNanoseconds(options_.warm_up);
    load.limits.duration = absl::ToChronoNanoseconds(options_.duration);
    const load::Run run = (*bench)->Measure(load, {}, stop_);
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
        "--model=" + options_.model,
        absl::StrCat("--threads=", settings.threads),
        absl::StrCat("--max-batch-size=", settings.max_batch_size),
        "--max-queue-delay=" + absl::FormatDuration(settings.max_queue_delay)};
    for (const std::string& option : options_.server_options) flags.push_back("--" + option);
    absl::StatusOr<std::unique_ptr<load::ServerProcess>> process =
        load::ServerProcess::Start(options_.server_binary, flags, {.patience = kStartPatience});
    if (!process.ok()) {
      return stop_.load() ? absl::CancelledError("interrupted") : process.status();
    }
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
    absl::StatusOr<load::Bench> bench = load::Bench::Open(*client, std::move(setup));
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

// Returns the line that is printed after a measurement.
std::string Line(const load::Trial& trial, const std::string& limited) {
  return absl::StrFormat("%-62s %8s/s  %s %9s  %s%s\n", load::FlagsOf(trial.settings),
                         load::Grouped(std::llround(trial.rate)), limited,
                         load::ShortTime(trial.latency_seconds),
                         trial.kept() ? "kept" : "NOT KEPT: " + trial.verdict,
                         trial.generator_bound ? " (generator-bound)" : "");
}

std::string RateText(std::optional<double> rate) {
  return rate.has_value() ? load::Grouped(std::llround(*rate)) + " requests/s" : "no rate";
}

std::string Conclusion(const load::Tuned& tuned, const load::TunePlan& plan,
                       const std::string& slo) {
  std::string text = absl::StrCat("\ndefaults  ", load::FlagsOf(plan.defaults), ": ",
                                  RateText(tuned.default_rate), " within ", slo, "\n");
  if (tuned.rounds > 0) {
    absl::StrAppend(&text, "best      ", load::FlagsOf(tuned.best), ": ", RateText(tuned.best_rate),
                    "\nagain     at that rate, in turn: the best kept the limit in ",
                    tuned.best_kept, " of ", tuned.rounds, " rounds, the defaults in ",
                    tuned.defaults_kept, "\n");
  }
  if (!tuned.complete) text += "budget    spent before all had been tried; --budget gives more\n";
  if (std::any_of(tuned.trials.begin(), tuned.trials.end(),
                  [](const load::Trial& trial) { return trial.generator_bound; })) {
    text += "note      where it says generator-bound, the generator may be what was measured\n";
  }
  if (!tuned.best_rate.has_value()) return text + "\nnothing that was tried keeps " + slo + "\n";
  if (tuned.better()) {
    return absl::StrCat(text, "\nuse       hellocnn-server ", load::FlagsOf(tuned.best), "\n");
  }
  return absl::StrCat(text, "\nuse       the defaults: ",
                      tuned.rounds > 0 ? "the difference is within the noise"
                                       : "nothing that was tried does better",
                      "\n");
}

Json SettingsJson(const load::ServerSettings& settings) {
  return {{"threads", settings.threads},
          {"max_batch_size", settings.max_batch_size},
          {"max_queue_delay_seconds", absl::ToDoubleSeconds(settings.max_queue_delay)},
          {"flags", load::FlagsOf(settings)}};
}

std::string ToJson(const load::Tuned& tuned, const load::TunePlan& plan, const std::string& slo) {
  const auto rate = [](std::optional<double> of) { return of ? Json(*of) : Json(nullptr); };
  const bool use_best = tuned.better();
  Json document = {{"slo", slo},
                   {"use", SettingsJson(use_best ? tuned.best : plan.defaults)},
                   {"better_than_defaults", use_best},
                   {"defaults",
                    {{"settings", SettingsJson(plan.defaults)},
                     {"highest_rate", rate(tuned.default_rate)},
                     {"rounds_kept", tuned.defaults_kept}}},
                   {"best",
                    {{"settings", SettingsJson(tuned.best)},
                     {"highest_rate", rate(tuned.best_rate)},
                     {"rounds_kept", tuned.best_kept}}},
                   {"rounds", tuned.rounds},
                   {"complete", tuned.complete},
                   {"trials", Json::array()}};
  for (const load::Trial& trial : tuned.trials) {
    document["trials"].push_back({{"settings", SettingsJson(trial.settings)},
                                  {"wanted_requests_per_second", trial.rate},
                                  {"requests_per_second", trial.answered_rate},
                                  {"limited_latency_seconds", trial.latency_seconds},
                                  {"kept", trial.kept()},
                                  {"why_not", trial.verdict},
                                  {"generator_bound", trial.generator_bound}});
  }
  return document.dump(2) + "\n";
}

int Run(const GlobalOptions& global, const Options& options) {
  load::TunePlan plan;
  plan.defaults.threads = GrantedCpus();
  plan.threads = options.threads;
  plan.max_batch_sizes = options.max_batch_sizes;
  plan.max_queue_delays = options.max_queue_delays;
  plan.first_rate = options.rate;
  const std::string limited = options.slo->text.substr(0, options.slo->text.find('='));
  const Instant until = Clock::Monotonic()->Now() + options.budget;
  const Interrupt interrupt;
  Servers servers(global, options, interrupt.happened());
  const absl::StatusOr<load::Tuned> tuned = load::Tune(
      plan,
      [&](const load::ServerSettings& settings, double rate) {
        absl::StatusOr<load::Trial> trial = servers.Measure(settings, rate);
        // With JSON output, the line is progress; otherwise it is the result.
        if (trial.ok())
          (options.json ? std::cerr : std::cout) << Line(*trial, limited) << std::flush;
        return trial;
      },
      [&] { return Clock::Monotonic()->Now() < until; });
  if (!tuned.ok()) return Fail(tuned.status());
  std::cout << (options.json ? ToJson(*tuned, plan, options.slo->text)
                             : Conclusion(*tuned, plan, options.slo->text));
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
      ->check(CLI::Range(1, 1024))
      ->type_name("N,...")
      ->default_str("1,2,4,... up to the CPUs");
  command
      .add_option("--try-batch-sizes", options.max_batch_sizes,
                  "values of --max-batch-size, besides the default")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
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
                  delay > absl::Seconds(1)) {
                throw CLI::ValidationError("--try-queue-delays",
                                           "'" + text + "' is not a duration of 0s to 1s");
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
  command.add_option("--model", options.model, "folder with the model, for the server")
      ->type_name("DIR")
      ->capture_default_str();
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
    action = [&global, options] { return Run(global, *options); };
  });
}

}  // namespace hellocnn::cli
