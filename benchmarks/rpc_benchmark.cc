#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "benchmarks/cpus.h"
#include "benchmarks/path_benchmarks.h"
#include "benchmarks/path_measurement.h"

namespace hellocnn {
namespace {

// The server's default batch size, and the number of images in a large call.
constexpr int kServerBatch = 32;
constexpr int kManyImages = 64;

struct Results {
  std::vector<std::string> transports;
  std::vector<Series> series;  // see SeriesOf
  // Of the engine alone, one for each round.
  std::vector<double> engine_seconds;            // time of an image in batches of kServerBatch
  std::vector<double> engine_images_per_second;  // in batches of kManyImages

  int rounds() const { return static_cast<int>(engine_seconds.size()); }
};

// The loads, in their order.
enum LoadIndex : std::size_t { kUnary, kManyImagesUnary, kStream };

// The echo server and the server under one load, on one transport.
struct Pair {
  const Series& echo;
  const Series& server;
};
// For each load and then for each transport, there is the echo server's series and the server's.
Pair SeriesOf(const Results& results, LoadIndex load, std::size_t transport) {
  const std::size_t first = 2 * (load * results.transports.size() + transport);
  return {results.series[first], results.series[first + 1]};
}

// Returns the server's calls/s relative to the limit: a CPU that does only the work of the echo
// server and of the engine.
double OfTheLimit(const Results& results, const Pair& pair) {
  return MedianOverRounds(results.rounds(), [&](int round) {
    return pair.server.rounds[round].calls_per_second *
           (1 / pair.echo.rounds[round].calls_per_second + results.engine_seconds[round]);
  });
}

// Returns the same in CPU time. It excludes other programs on the CPU, and idle CPU time that the
// server could use but does not.
double OfTheLimitByCpu(const Results& results, const Pair& pair) {
  return MedianOverRounds(results.rounds(), [&](int round) {
    return (pair.echo.rounds[round].server_cpu_seconds_per_call + results.engine_seconds[round]) /
           pair.server.rounds[round].server_cpu_seconds_per_call;
  });
}

double OfTheEngine(const Results& results, const Series& server) {
  return MedianOverRounds(results.rounds(), [&](int round) {
    return server.rounds[round].images_per_second / results.engine_images_per_second[round];
  });
}

// Returns the CPU time of a call beside the engine's, on the second transport relative to the
// first.
double CpuOfTransports(const Results& results, LoadIndex load) {
  return MedianOverRounds(results.rounds(), [&](int round) {
    const auto beside = [&](std::size_t transport) {
      return SeriesOf(results, load, transport).server.rounds[round].server_cpu_seconds_per_call -
             results.engine_seconds[round];
    };
    return beside(1) / beside(0);
  });
}

std::vector<Ratio> MakeRatios(const Results& results) {
  std::vector<Ratio> ratios;
  for (std::size_t i = 0; i < results.transports.size(); ++i) {
    const std::string name = results.transports[i] + ": ";
    const Pair unary = SeriesOf(results, kUnary, i);
    const Pair stream = SeriesOf(results, kStream, i);
    ratios.push_back({name + "unary calls/s, against 1 / (t_echo + t_engine)",
                      OfTheLimit(results, unary), 0.75, 0.90});
    ratios.push_back({name + "images/s in 64-image calls, against the engine alone",
                      OfTheEngine(results, SeriesOf(results, kManyImagesUnary, i).server), 0.80,
                      0.90});
    ratios.push_back({name + "messages/s of a stream, against 1 / (t_echo + t_engine)",
                      OfTheLimit(results, stream),
                      {},
                      {}});
    ratios.push_back({name + "unary calls, by CPU time: (t_echo + t_engine) / t_server",
                      OfTheLimitByCpu(results, unary),
                      {},
                      {}});
  }
  const std::string against = results.transports[1] + " against " + results.transports[0] + ": ";
  ratios.push_back({against + "CPU of a unary call beside the engine's",
                    CpuOfTransports(results, kUnary), 0.70, 0.40, /*at_most=*/true});
  ratios.push_back({against + "CPU of a message of a stream beside the engine's",
                    CpuOfTransports(results, kStream), 0.70, 0.40, /*at_most=*/true});
  return ratios;
}

void Write(const PathOptions& options, const Results& results, std::ostream& out) {
  if (!options.json) {
    WriteSetUp(options, out);
    WriteSeries(results.series, out);
    out << absl::StreamFormat(
        "\nEngine alone: %.2f us an image, %d at a time; %.0f images/s, %d at a time\n",
        Median(results.engine_seconds) * 1e6, kServerBatch,
        Median(results.engine_images_per_second), kManyImages);
    WriteRatios(MakeRatios(results), out);
    return;
  }
  nlohmann::ordered_json json = SetUpToJson(options);
  json["measurements"] = SeriesToJson(results.series);
  json["engine"] = nlohmann::ordered_json::array();
  for (int round = 0; round < results.rounds(); ++round) {
    json["engine"].push_back(
        {{"seconds_per_image", results.engine_seconds[round]},
         {"images_per_second_in_64", results.engine_images_per_second[round]}});
  }
  json["ratios"] = RatiosToJson(MakeRatios(results));
  out << json.dump(2) << "\n";
}

}  // namespace

absl::Status RunRpcBenchmark(const PathOptions& options, std::ostream& out) {
  if (absl::Status status = PinTo(options.load_cpu); !status.ok()) return status;
  const auto rivals = StartRivals(options);
  if (!rivals.ok()) return rivals.status();
  auto engine = EngineAlone::Create(options.model);
  if (!engine.ok()) return engine.status();

  Results results;
  for (const Rivals& one : *rivals) results.transports.push_back(one.transport);
  for (const auto& [name, streaming, images, in_flight] :
       {std::tuple{"unary, 1 image, 64 in flight", false, 1, 64},
        std::tuple{"unary, 64 images, 8 in flight", false, kManyImages, 8},
        std::tuple{"stream, 1 image, 64 in flight", true, 1, 64}}) {
    for (const Rivals& one : *rivals) {
      for (const LoadedServer* target : {one.echo.get(), one.server.get()}) {
        results.series.push_back(
            {target, {name, streaming, images, in_flight, options.duration}, {}});
      }
    }
  }
  const auto measure_engine = [&](bool counts) {
    const auto one = (*engine)->Measure(kServerBatch, options.duration / 2, options.server_cpu,
                                        options.load_cpu);
    if (!one.ok()) return one.status();
    const auto many =
        (*engine)->Measure(kManyImages, options.duration / 2, options.server_cpu, options.load_cpu);
    if (!many.ok()) return many.status();
    if (counts) {
      results.engine_seconds.push_back(one->mean_seconds_per_image);
      results.engine_images_per_second.push_back(1 / many->mean_seconds_per_image);
    }
    return absl::OkStatus();
  };
  absl::Status status = MeasureInRounds(options.rounds, results.series, measure_engine);
  if (!status.ok()) return status;
  Write(options, results, out);
  status.Update(StopRivals(*rivals));
  return status;
}

}  // namespace hellocnn
