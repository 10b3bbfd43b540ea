// A server with requests and connections at hand, on which one measurement follows another.
#ifndef HELLOCNN_LOADGEN_RUN_BENCH_H_
#define HELLOCNN_LOADGEN_RUN_BENCH_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "hellocnn/client/client.h"
#include "loadgen/report/report.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// What one measurement differs in from the others on the same bench.
struct Load {
  int concurrency = 0;  // closed loop
  double rate = 0;      // constant and Poisson arrivals; where a ramp ends
  double ramp_from = 0;
  Limits limits;
  Windows windows;
};

class Bench {
 public:
  // Asks `client`'s server for its model, makes or reads the images, serialises the requests and
  // connects to setup.target; blocks meanwhile. Fills in the rest of `setup`.
  // INVALID_ARGUMENT: the server takes fewer images in a request, or what GetModel, ReadImages and
  // ReadSendTimes say; UNAVAILABLE: no connection within 10 s.
  static absl::StatusOr<Bench> Open(const client::Client& client, Setup setup);

  const Setup& setup() const { return setup_; }

  // See load::Measure. Blocks.
  Run Measure(const Load& load, absl::Span<Observer* const> observers,
              const std::atomic<bool>& stop) const;

 private:
  explicit Bench(Setup setup) : setup_(std::move(setup)) {}

  ArrivalsFactory ArrivalsOf(const Load& load) const;

  Setup setup_;
  std::unique_ptr<Protocol> protocol_;
  Channels channels_;
  std::shared_ptr<const std::vector<Nanos>> send_times_;  // of recorded arrivals
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_BENCH_H_
