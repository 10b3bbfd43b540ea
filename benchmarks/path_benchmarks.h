// Benchmarks of the whole path of a request: the built servers on one CPU, the load on another.
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
  int load_cpu = 0;         // may be the same, which makes the figures worthless
  int rounds = 1;           // of which medians are taken
  absl::Duration duration;  // of each measurement in a round
  bool json = false;
};

// Each writes tables, or JSON, to `out`. Each pins the calling thread, which must be the process's
// only one, to `load_cpu`. Blocks until done. INVALID_ARGUMENT: a CPU that is not there;
// UNAVAILABLE: a server that cannot be started; INTERNAL: a call that failed; and the errors of the
// model's files.

// `hellocnn-bench rpc`: how much of what gRPC and the engine could do together is reached.
absl::Status RunRpcBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench latency`: of one call at a time.
absl::Status RunLatencyBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench cost`: what metrics and logs cost.
absl::Status RunCostBenchmark(const PathOptions& options, std::ostream& out);
// `hellocnn-bench memory`: resident memory of the server while it classifies `images` images, >= 10
// * 64, in tenths. Of `options`, rounds and duration are not used.
absl::Status RunMemoryBenchmark(const PathOptions& options, std::int64_t images, std::ostream& out);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PATH_BENCHMARKS_H_
