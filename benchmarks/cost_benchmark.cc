#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/cpus.h"
#include "benchmarks/path_benchmarks.h"
#include "benchmarks/path_measurement.h"

namespace hellocnn {

absl::Status RunCostBenchmark(const PathOptions& options, std::ostream& out) {
  if (absl::Status status = PinTo(options.load_cpu); !status.ok()) return status;
  const std::string metrics = "--metrics-listen=127.0.0.1:0";
  const std::string no_metrics = "--metrics-listen=off";
  const std::string logs = "--log-level=info";
  const std::string no_logs = "--log-level=off";
  // Calls with one image do the most metrics and logging for the least computing.
  const Load load{
      .name = "unary, 1 image, 64 in flight", .in_flight = 64, .duration = options.duration};
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {"no metrics, no logs", {no_metrics, no_logs}},
      {"metrics, no logs", {metrics, no_logs}},
      {"metrics, logs", {metrics, logs}},
  };
  std::vector<std::unique_ptr<LoadedServer>> servers(kinds.size());
  std::vector<Series> series(kinds.size(), Series{nullptr, load, {}});
  // Starts new processes in each round. Where the kernel puts a server's memory matters more than
  // the costs measured here, and stays the same for the life of a process.
  const auto start_anew = [&](bool /*counts*/) {
    absl::Status status;
    for (std::size_t i = 0; i < kinds.size() && status.ok(); ++i) {
      if (servers[i] != nullptr) status = servers[i]->Stop();
      auto server = StartServer(options, kinds[i].first, kinds[i].second);
      if (!server.ok()) return server.status();
      servers[i] = *std::move(server);
      series[i].server = servers[i].get();
    }
    return status;
  };
  absl::Status status = MeasureInRounds(options.rounds, series, start_anew);
  if (!status.ok()) return status;

  const auto rate = [&](std::size_t one, std::size_t other) {
    return MedianOverRounds(options.rounds, [&](int round) {
      return series[one].rounds[round].calls_per_second /
             series[other].rounds[round].calls_per_second;
    });
  };
  // CPU time depends less on what else runs.
  const auto cpu = [&](std::size_t one, std::size_t other) {
    return MedianOverRounds(options.rounds, [&](int round) {
      return series[other].rounds[round].server_cpu_seconds_per_call /
             series[one].rounds[round].server_cpu_seconds_per_call;
    });
  };
  const std::vector<Ratio> ratios = {
      {"calls/s with metrics on, against off", rate(1, 0), 0.98, 0.99},
      {"calls/s with logs on, against off", rate(2, 1), {}, {}},
      {"calls per CPU-second with metrics on, against off", cpu(1, 0), {}, {}},
      {"calls per CPU-second with logs on, against off", cpu(2, 1), {}, {}},
  };
  if (options.json) {
    nlohmann::ordered_json json = SetUpToJson(options);
    json["measurements"] = SeriesToJson(series);
    json["ratios"] = RatiosToJson(ratios);
    out << json.dump(2) << "\n";
  } else {
    WriteSetUp(options, out);
    WriteSeries(series, out);
    WriteRatios(ratios, out);
  }
  for (const auto& server : servers) status.Update(server->Stop());
  return status;
}

}  // namespace hellocnn
