#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
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
  std::vector<Series> series;  // for each load: echo server, then server
  // Of the engine alone, one for each round.
  std::vector<double> engine_seconds;            // time of an image in batches of kServerBatch
  std::vector<double> engine_images_per_second;  // in batches of kManyImages
};

// Returns the server's calls/s relative to the limit: a CPU that does only the work of the echo
// server and of the engine.
double OfTheLimit(const Results& results, std::size_t echo) {
  const Series& server = results.series[echo + 1];
  return MedianOverRounds(static_cast<int>(server.rounds.size()), [&](int round) {
    return server.rounds[round].calls_per_second *
           (1 / results.series[echo].rounds[round].calls_per_second +
            results.engine_seconds[round]);
  });
}

// Returns the same in CPU time. It excludes other programs on the CPU, and idle CPU time that the
// server could use but does not.
double OfTheLimitByCpu(const Results& results, std::size_t echo) {
  const Series& server = results.series[echo + 1];
  return MedianOverRounds(static_cast<int>(server.rounds.size()), [&](int round) {
    return (results.series[echo].rounds[round].server_cpu_seconds_per_call +
            results.engine_seconds[round]) /
           server.rounds[round].server_cpu_seconds_per_call;
  });
}

std::vector<Ratio> MakeRatios(const Results& results) {
  const int rounds = static_cast<int>(results.engine_seconds.size());
  const double many = MedianOverRounds(rounds, [&](int round) {
    return results.series[3].rounds[round].images_per_second /
           results.engine_images_per_second[round];
  });
  return {
      {"unary calls/s, against 1 / (t_echo + t_engine)", OfTheLimit(results, 0), 0.75, 0.90},
      {"images/s in 64-image calls, against the engine alone", many, 0.80, 0.90},
      {"messages/s of a stream, against 1 / (t_echo + t_engine)", OfTheLimit(results, 4), {}, {}},
      {"unary calls, by CPU time: (t_echo + t_engine) / t_server",
       OfTheLimitByCpu(results, 0),
       {},
       {}},
  };
}

void Write(const PathOptions& options, const Results& results, std::ostream& out) {
  const int rounds = static_cast<int>(results.engine_seconds.size());
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
  for (int round = 0; round < rounds; ++round) {
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
  auto echo = StartEchoServer(options);
  if (!echo.ok()) return echo.status();
  auto server =
      StartServer(options, "server", {"--metrics-listen=127.0.0.1:0", "--log-level=warn"});
  if (!server.ok()) return server.status();
  auto engine = EngineAlone::Create(options.model);
  if (!engine.ok()) return engine.status();

  Results results;
  for (const auto& [name, streaming, images, in_flight] :
       {std::tuple{"unary, 1 image, 64 in flight", false, 1, 64},
        std::tuple{"unary, 64 images, 8 in flight", false, kManyImages, 8},
        std::tuple{"stream, 1 image, 64 in flight", true, 1, 64}}) {
    for (const LoadedServer* target : {echo->get(), server->get()}) {
      results.series.push_back(
          {target, {name, streaming, images, in_flight, options.duration}, {}});
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
  status.Update((*server)->Stop());
  status.Update((*echo)->Stop());
  return status;
}

}  // namespace hellocnn
