// hellocnn-bench: how fast it is, on this machine. Exit status: 0 fine, 1 failed, 2 wrong usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "absl/time/time.h"
#include "benchmarks/engine_benchmark.h"

namespace {

std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && absl::Milliseconds(1) <= duration &&
      duration <= absl::Minutes(1)) {
    return "";
  }
  return "is \"" + text + "\", wanted a duration with a unit, 1ms to 1m, for example 20ms";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures HelloCNN Serving on this machine.", "hellocnn-bench");
  app.require_subcommand(1);
  hellocnn::EngineBenchmarkOptions engine;
  engine.model = "models/mnist/1";
  engine.engines = {"torch-eager", "torch", "simd"};
  engine.batch_sizes = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17, 24, 32, 64, 128, 256};
  engine.repetitions = 9;
  std::string min_time = "20ms";
  CLI::App* engine_command = app.add_subcommand(
      "engine", "Each engine at each batch size, beside what the core could do.");
  engine_command
      ->add_option("--model", engine.model, "Folder with model_card.json and the weights.")
      ->capture_default_str();
  engine_command->add_option("--engines", engine.engines, "Which, with commas between.")
      ->delimiter(',')
      ->check(CLI::IsMember({"torch-eager", "torch", "simd"}))
      ->capture_default_str();
  engine_command->add_option("--batch", engine.batch_sizes, "Images together, with commas between.")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  engine_command
      ->add_option("--repetitions", engine.repetitions, "Measurements of each; the fastest counts.")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  engine_command->add_option("--min-time", min_time, "How long one measurement takes at least.")
      ->check(CheckDuration)
      ->capture_default_str();
  engine_command->add_flag("--json", engine.json, "Write JSON instead of tables.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  absl::ParseDuration(min_time, &engine.min_time);
  const absl::Status status = hellocnn::RunEngineBenchmark(engine, std::cout);
  if (!status.ok()) {
    std::fprintf(stderr, "hellocnn-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
