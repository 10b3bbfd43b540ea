#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_format.h"
#include "benchmarks/cpus.h"
#include "benchmarks/path_benchmarks.h"
#include "benchmarks/path_measurement.h"

namespace hellocnn {

absl::Status RunLatencyBenchmark(const PathOptions& options, std::ostream& out) {
  if (absl::Status status = PinTo(options.load_cpu); !status.ok()) return status;
  auto echo = StartEchoServer(options);
  if (!echo.ok()) return echo.status();
  auto server =
      StartServer(options, "server", {"--metrics-listen=127.0.0.1:0", "--log-level=warn"});
  if (!server.ok()) return server.status();
  auto engine = EngineAlone::Create(options.model);
  if (!engine.ok()) return engine.status();

  const Load load{.name = "unary, 1 image, 1 in flight", .duration = options.duration};
  std::vector<Series> series = {{echo->get(), load, {}}, {server->get(), load, {}}};
  std::vector<double> engine_seconds;  // one for each round
  const auto measure_engine = [&](bool counts) {
    const auto time = (*engine)->Measure(1, options.duration, options.server_cpu, options.load_cpu);
    if (time.ok() && counts) engine_seconds.push_back(time->median_seconds);
    return time.status();
  };
  absl::Status status = MeasureInRounds(options.rounds, series, measure_engine);
  if (!status.ok()) return status;

  const double above = MedianOverRounds(options.rounds, [&](int round) {
    return series[1].rounds[round].p50_seconds - series[0].rounds[round].p50_seconds -
           engine_seconds[round];
  });
  const std::vector<Ratio> ratios = {
      {"unloaded p50, above the echo server's and the engine's time for one image, us", above * 1e6,
       30, 15, /*at_most=*/true}};
  if (options.json) {
    nlohmann::ordered_json json = SetUpToJson(options);
    json["measurements"] = SeriesToJson(series);
    json["engine_median_seconds"] = engine_seconds;
    json["ratios"] = RatiosToJson(ratios);
    out << json.dump(2) << "\n";
  } else {
    WriteSetUp(options, out);
    WriteSeries(series, out);
    out << absl::StreamFormat("\nEngine alone, one image: %.1f us\n", Median(engine_seconds) * 1e6);
    WriteRatios(ratios, out);
  }
  status.Update((*server)->Stop());
  status.Update((*echo)->Stop());
  return status;
}

}  // namespace hellocnn
