// Holds a server's connections and prepared requests, so that one measurement can follow another.
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

// The settings in which measurements on the same bench differ.
struct Load {
  int concurrency = 0;  // in a closed loop: requests in flight
  double rate = 0;      // requests a second of constant and Poisson arrivals; the end of a ramp
  double ramp_from = 0;
  RunLimits limits;
  Windows windows;
};

class Bench {
 public:
  // Asks `client`'s server for the model, makes or reads the images, serialises the requests and
  // connects to setup.target. Fills in the rest of `setup`. Blocks. INVALID_ARGUMENT: the server
  // accepts fewer images in a request. NOT_FOUND: it does not serve setup.wanted_model.
  // FAILED_PRECONDITION: it does not know that requests can name a model. Also returns the errors
  // of GetModel, ReadImages and ReadSendTimes. UNAVAILABLE: no connection within 10 s. CANCELLED:
  // `stop` became true.
  static absl::StatusOr<Bench> Open(const client::Client& client, Setup setup,
                                    const std::atomic<bool>& stop);

  const Setup& setup() const { return setup_; }

  // Returns a run that was interrupted before its first request.
  Run Interrupted(const Load& load) const;

  // See load::Measure. Blocks.
  Run Measure(const Load& load, absl::Span<Observer* const> observers,
              const std::atomic<bool>& stop) const;

 private:
  explicit Bench(Setup setup) : setup_(std::move(setup)) {}

  ArrivalsFactory ArrivalsOf(const Load& load) const;

  Setup setup_;
  std::unique_ptr<Protocol> protocol_;
  Channels channels_;
  std::shared_ptr<const std::vector<Nanos>> send_times_;  // only for recorded arrivals
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_BENCH_H_
