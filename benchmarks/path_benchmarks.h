// Benchmarks of the whole path of a request. The built servers run on one CPU, and the load on
// another.
#ifndef HELLOCNN_BENCHMARKS_PATH_BENCHMARKS_H_
#define HELLOCNN_BENCHMARKS_PATH_BENCHMARKS_H_

#include <cstdint>
#include <iosfwd>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn {

struct PathOptions {
  std::string server;       // hellocnn-server, as a path
  std::string echo_server;  // hellocnn-echo-server, as a path
  std::string model;        // folder with model_card.json and the weights
  int server_cpu = 0;
  int load_cpu = 0;         // may be server_cpu, which makes the figures worthless
  int rounds = 1;           // rounds whose medians are reported
  absl::Duration duration;  // duration of each measurement in a round
  bool json = false;
};

// Each function writes tables, or JSON, to `out`. It pins the calling thread, which must be the
// only one of the process, to `load_cpu`. Blocks until done. INVALID_ARGUMENT: a CPU does not
// exist. UNAVAILABLE: a server cannot be started. INTERNAL: a call failed. Also returns the errors
// of the model's files.

// `hellocnn-bench rpc`: compares the throughput with what gRPC and the engine could reach together.
absl::Status RunRpcBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench latency`: measures the latency of one call at a time.
absl::Status RunLatencyBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench cost`: measures the cost of metrics and logs.
absl::Status RunCostBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench memory`: reports the resident memory of the server after each tenth of `images`
// classified images. `images` must be at least 10 * 64. The rounds and the duration of `options`
// are not used.
absl::Status RunMemoryBenchmark(const PathOptions& options, std::int64_t images, std::ostream& out);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PATH_BENCHMARKS_H_
