// hellocnn-picture-bench: measures how many digits are right, by how a picture presents them. Exit
// status: 0 for success, 1 if a share is less than wanted or for failure, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <optional>

#include "base/command_line/command_line.h"
#include "benchmarks/pictures/measurement.h"

int main(int argc, char** argv) {
  hellocnn::PictureBenchmarkOptions options;
  std::string filter;
  CLI::App app("Measures how many digits are right, by how a picture presents them.");
  app.add_option("--model", options.model, "Folder with model_card.json and the weights.")
      ->capture_default_str();
  app.add_option("--data", options.data, "Folder with MNIST's test digits.")->capture_default_str();
  app.add_option("--first", options.first, "Index of the first digit.")
      ->check(CLI::Range(0, 9999))
      ->capture_default_str();
  app.add_option("--digits", options.digits, "How many digits, from that one on.")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Chooses how they are presented.")->capture_default_str();
  app.add_option("--only", filter, "Only presentations whose name contains this.");
  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  const auto results = hellocnn::MeasurePictures(options, filter);
  if (!results.ok()) {
    std::cerr << "hellocnn-picture-bench: " << results.status() << "\n";
    return 1;
  }
  bool all_fine = true;
  std::printf("| the digit as | right | wanted | nothing to see | more than one digit? |\n");
  std::printf("|---|---|---|---|---|\n");
  for (const hellocnn::PictureResult& result : *results) {
    all_fine = all_fine && result.share() >= result.wanted;
    std::printf("| %s | %.1f%% | %.1f%% | %d | %d |\n", result.presentation.c_str(),
                100 * result.share(), 100 * result.wanted, result.nothing, result.several);
  }
  return all_fine ? 0 : 1;
}
