// What the benchmarks of a request's whole path share: servers under load, the engine alone, and
// the report.
#ifndef HELLOCNN_BENCHMARKS_PATH_MEASUREMENT_H_
#define HELLOCNN_BENCHMARKS_PATH_MEASUREMENT_H_

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/figures.h"
#include "benchmarks/path_benchmarks.h"
#include "hellocnn/engine.h"
#include "loadgen/core/images.h"
#include "loadgen/run/run.h"
#include "loadgen/run/server_process.h"

namespace hellocnn {

// A closed loop over one connection. Images are sent as 8-bit grey levels.
struct Load {
  std::string name;
  bool streaming = false;
  int images = 1;     // images in a call or message
  int in_flight = 1;  // calls or messages in flight
  absl::Duration duration = absl::InfiniteDuration();
  // The load ends after `duration` or `requests`, whichever comes first.
  std::int64_t requests = std::numeric_limits<std::int64_t>::max();
};

struct Observed {
  double calls_per_second = 0;  // or messages
  double images_per_second = 0;
  double p50_seconds = 0;
  double p99_seconds = 0;
  double server_cpu_seconds_per_call = 0;
};

// Owns a server process and a connection to it. Not thread-safe.
class LoadedServer {
 public:
  // Starts the server as load::ServerProcess::Start does, and connects. UNAVAILABLE: there is no
  // connection, or the server did not start.
  static absl::StatusOr<std::unique_ptr<LoadedServer>> Start(
      const std::string& name, const std::string& program,
      const std::vector<std::string>& arguments, int cpu);

  // Blocks for the duration of the load. INTERNAL: a call failed.
  absl::StatusOr<Observed> Observe(const Load& load) const;

  const std::string& name() const { return name_; }
  const load::ServerProcess& process() const { return *process_; }
  absl::Status Stop() { return process_->Stop(); }

 private:
  LoadedServer(std::string name, std::unique_ptr<load::ServerProcess> process,
               load::Channels channels)
      : name_(std::move(name)), process_(std::move(process)), channels_(std::move(channels)) {}

  const std::string name_;
  const std::unique_ptr<load::ServerProcess> process_;
  const load::Channels channels_;
};

// Starts hellocnn-server with one worker on its CPU.
absl::StatusOr<std::unique_ptr<LoadedServer>> StartServer(const PathOptions& options,
                                                          const std::string& name,
                                                          std::vector<std::string> arguments);

// The echo server and the server on one transport.
struct Rivals {
  std::string transport;
  std::unique_ptr<LoadedServer> echo;
  std::unique_ptr<LoadedServer> server;
};
// Starts both on each transport.
absl::StatusOr<std::vector<Rivals>> StartRivals(const PathOptions& options);
absl::Status StopRivals(const std::vector<Rivals>& rivals);

// Runs the SIMD engine on the same images as the loads, without a server. Not thread-safe.
class EngineAlone {
 public:
  // Returns the errors of the model's files and of the engine.
  static absl::StatusOr<std::unique_ptr<EngineAlone>> Create(const std::string& model);

  struct Time {
    double mean_seconds_per_image = 0;
    double median_seconds = 0;  // median time of a batch
  };
  // Classifies batches of `batch_size`, at most 64, on `cpu` for `duration`. The calling thread is
  // back on `home_cpu` when it returns.
  absl::StatusOr<Time> Measure(int batch_size, absl::Duration duration, int cpu, int home_cpu);

 private:
  explicit EngineAlone(std::unique_ptr<Engine> engine);

  const std::unique_ptr<Engine> engine_;
  load::Images images_;
};

// One measurement that is repeated in every round.
struct Series {
  const LoadedServer* server;
  Load load;
  std::vector<Observed> rounds;
};

// Runs `engine` once and each of `series` in turn, in every round. The order of the series
// alternates between forwards and backwards. A first round does not count. The first error ends the
// measurement, and is returned.
absl::Status MeasureInRounds(int rounds, std::vector<Series>& series,
                             const std::function<absl::Status(bool counts)>& engine);

double MedianOf(const Series& series, double Observed::*figure);
// Returns the median of `figure` over the rounds.
double MedianOverRounds(int rounds, const std::function<double(int round)>& figure);

// Writes what was measured, where and how.
void WriteSetUp(const PathOptions& options, std::ostream& out);
nlohmann::ordered_json SetUpToJson(const PathOptions& options);
void WriteSeries(const std::vector<Series>& series, std::ostream& out);
nlohmann::ordered_json SeriesToJson(const std::vector<Series>& series);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PATH_MEASUREMENT_H_
