#include <cstddef>
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
  const auto rivals = StartRivals(options);
  if (!rivals.ok()) return rivals.status();
  auto engine = EngineAlone::Create(options.model);
  if (!engine.ok()) return engine.status();

  const Load load{.name = "unary, 1 image, 1 in flight", .duration = options.duration};
  std::vector<Series> series;
  for (const Rivals& one : *rivals) {
    series.push_back({one.echo.get(), load, {}});
    series.push_back({one.server.get(), load, {}});
  }
  std::vector<double> engine_seconds;  // one for each round
  const auto measure_engine = [&](bool counts) {
    const auto time = (*engine)->Measure(1, options.duration, options.server_cpu, options.load_cpu);
    if (time.ok() && counts) engine_seconds.push_back(time->median_seconds);
    return time.status();
  };
  absl::Status status = MeasureInRounds(options.rounds, series, measure_engine);
  if (!status.ok()) return status;

  std::vector<Ratio> ratios;
  for (std::size_t i = 0; i < rivals->size(); ++i) {
    const double above = MedianOverRounds(options.rounds, [&](int round) {
      return series[2 * i + 1].rounds[round].p50_seconds - series[2 * i].rounds[round].p50_seconds -
             engine_seconds[round];
    });
    ratios.push_back({(*rivals)[i].transport +
                          ": unloaded p50, above the echo server's and the engine's time for one "
                          "image, us",
                      above * 1e6, 30, 15, /*at_most=*/true});
  }
  const double against = MedianOverRounds(options.rounds, [&](int round) {
    return series[3].rounds[round].p50_seconds / series[1].rounds[round].p50_seconds;
  });
  ratios.push_back({"http2 against grpc: unloaded p50", against, 1.0, {}, /*at_most=*/true});
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
  status.Update(StopRivals(*rivals));
  return status;
}

}  // namespace hellocnn
