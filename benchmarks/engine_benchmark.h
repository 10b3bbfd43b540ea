// `hellocnn-bench engine`: measures every engine at every batch size, beside the limit of the core.
#ifndef HELLOCNN_BENCHMARKS_ENGINE_BENCHMARK_H_
#define HELLOCNN_BENCHMARKS_ENGINE_BENCHMARK_H_

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn {

struct EngineBenchmarkOptions {
  std::string model;                 // folder with model_card.json and the weights
  std::vector<std::string> engines;  // any of "torch-eager", "torch", "simd"
  std::vector<int> batch_sizes;      // each at least 1
  int repetitions = 0;               // at least 2
  absl::Duration min_time;           // least time of one repetition
  bool json = false;
};

// Measures on the caller's thread and writes the tables, or JSON, to `out`. Blocks until done. The
// repetitions of all measurements are shuffled, so that a temporary disturbance of the machine
// affects all alike. The fastest repetition by CPU time counts. Returns the errors of the model's
// files and of the engines.
absl::Status RunEngineBenchmark(const EngineBenchmarkOptions& options, std::ostream& out);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_ENGINE_BENCHMARK_H_
