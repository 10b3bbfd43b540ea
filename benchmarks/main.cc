// hellocnn-bench: measures the performance on this machine. Exit status: 0 for success, 1 for
// failure, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/command_line/command_line.h"
#include "benchmarks/cpus.h"
#include "benchmarks/engine_benchmark.h"
#include "benchmarks/path_benchmarks.h"

namespace {

using hellocnn::EngineBenchmarkOptions;
using hellocnn::PathOptions;

std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && absl::Milliseconds(1) <= duration &&
      duration <= absl::Minutes(1)) {
    return "";
  }
  return "is \"" + text + "\", wanted a duration with a unit, 1ms to 1m, for example 20ms";
}

void AddDuration(CLI::App* command, const std::string& flag, absl::Duration* value,
                 const std::string& help) {
  command
      ->add_option_function<std::string>(
          flag, [value](const std::string& text) { absl::ParseDuration(text, value); }, help)
      ->check(CheckDuration)
      ->default_str(absl::FormatDuration(*value));
}

void AddModel(CLI::App* command, std::string* model) {
  command->add_option("--model", *model, "Folder with model_card.json and the weights.")
      ->capture_default_str();
}

void AddEngine(CLI::App* command, EngineBenchmarkOptions* engine) {
  AddModel(command, &engine->model);
  command->add_option("--engines", engine->engines, "Which, with commas between.")
      ->delimiter(',')
      ->check(CLI::IsMember({"torch-eager", "torch", "simd"}))
      ->capture_default_str();
  command->add_option("--batch", engine->batch_sizes, "Images together, with commas between.")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      ->add_option("--repetitions", engine->repetitions,
                   "Measurements of each; the fastest counts.")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  AddDuration(command, "--min-time", &engine->min_time, "How long one measurement takes at least.");
  command->add_flag("--json", engine->json, "Write JSON instead of tables.");
}

// Adds the options that the commands which start servers share.
void AddServers(CLI::App* command, PathOptions* path) {
  AddModel(command, &path->model);
  command->add_option("--server", path->server, "hellocnn-server, a path.")->capture_default_str();
  command->add_option("--server-cpu", path->server_cpu, "That the servers are pinned to.")
      ->check(CLI::Range(0, 1023))
      ->capture_default_str();
  command->add_option("--load-cpu", path->load_cpu, "That the load is pinned to.")
      ->check(CLI::Range(0, 1023))
      ->capture_default_str();
  command->add_flag("--json", path->json, "Write JSON instead of tables.");
}

void AddRounds(CLI::App* command, PathOptions* path) {
  command->add_option("--rounds", path->rounds, "Measurements of each, in turns; medians count.")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  AddDuration(command, "--duration", &path->duration, "Of one measurement.");
}

void AddEchoServer(CLI::App* command, PathOptions* path) {
  command->add_option("--echo-server", path->echo_server, "hellocnn-echo-server, a path.")
      ->capture_default_str();
}

PathOptions DefaultPathOptions() {
  const std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::vector<int> cpus = hellocnn::UsableCpus();
  return {.server = folder / "hellocnn-server",
          .echo_server = folder / "hellocnn-echo-server",
          .model = "models/mnist/1",
          .server_cpu = cpus.front(),
          .load_cpu = cpus.back(),
          .rounds = 9,
          .duration = absl::Seconds(2)};
}

}  // namespace

int main(int argc, char** argv) {
  // As in hellocnn, so that the load costs the same as there.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("Measures HelloCNN Serving on this machine.", "hellocnn-bench");
  app.require_subcommand(1);
  std::function<absl::Status()> run;
  const auto add = [&](const char* name, const char* help, std::function<absl::Status()> action) {
    CLI::App* command = app.add_subcommand(name, help);
    command->callback([&run, action = std::move(action)] { run = action; });
    return command;
  };

  EngineBenchmarkOptions engine{
      .model = "models/mnist/1",
      .engines = {"torch-eager", "torch", "simd"},
      .batch_sizes = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17, 24, 32, 64, 128, 256},
      .repetitions = 9,
      .min_time = absl::Milliseconds(20)};
  AddEngine(add("engine", "Each engine at each batch size, beside what the core could do.",
                [&engine] { return RunEngineBenchmark(engine, std::cout); }),
            &engine);

  PathOptions path = DefaultPathOptions();
  CLI::App* rpc =
      add("rpc", "Calls to the server beside those to an echo server and the engine alone.",
          [&path] { return RunRpcBenchmark(path, std::cout); });
  CLI::App* latency =
      add("latency", "One call at a time, beside the echo server and the engine alone.",
          [&path] { return RunLatencyBenchmark(path, std::cout); });
  CLI::App* cost = add("cost", "What metrics and logs cost.",
                       [&path] { return RunCostBenchmark(path, std::cout); });
  for (CLI::App* command : {rpc, latency, cost}) {
    AddServers(command, &path);
    AddRounds(command, &path);
  }
  for (CLI::App* command : {rpc, latency}) AddEchoServer(command, &path);

  std::int64_t images = 10'000'000;
  CLI::App* memory =
      add("memory", "Resident memory of the server, after each tenth of many images.",
          [&] { return RunMemoryBenchmark(path, images, std::cout); });
  AddServers(memory, &path);
  memory->add_option("--images", images, "How many, 1,000 to 10 to the 12th.")
      ->check(CLI::Range(std::int64_t{1000}, std::int64_t{1'000'000'000'000}))
      ->capture_default_str();

  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  const absl::Status status = run();
  if (!status.ok()) {
    std::fprintf(stderr, "hellocnn-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
