#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_format.h"
#include "benchmarks/cpus.h"
#include "benchmarks/path_benchmarks.h"
#include "benchmarks/path_measurement.h"

namespace hellocnn {
namespace {

constexpr int kSteps = 10;
constexpr int kImagesInCall = 64;

struct Step {
  std::int64_t images;  // number classified so far
  std::int64_t resident_bytes;
};

void Write(const PathOptions& options, const std::vector<Step>& steps, std::ostream& out) {
  const double growth = static_cast<double>(steps.back().resident_bytes) /
                        static_cast<double>(steps[1].resident_bytes);
  const std::vector<Ratio> ratios = {
      {absl::StrFormat("resident memory after %d images, against after %d", steps.back().images,
                       steps[1].images),
       growth, 1.02, 1.00, /*at_most=*/true}};
  if (!options.json) {
    out << "| images | resident, MB |\n|---|---|\n";
    for (const Step& step : steps) {
      out << absl::StreamFormat("| %d | %.1f |\n", step.images,
                                static_cast<double>(step.resident_bytes) * 1e-6);
    }
    WriteRatios(ratios, out);
    return;
  }
  nlohmann::ordered_json json = SetUpToJson(options);
  json["steps"] = nlohmann::ordered_json::array();
  for (const Step& step : steps) {
    json["steps"].push_back({{"images", step.images}, {"resident_bytes", step.resident_bytes}});
  }
  json["ratios"] = RatiosToJson(ratios);
  out << json.dump(2) << "\n";
}

}  // namespace

absl::Status RunMemoryBenchmark(const PathOptions& options, std::int64_t images,
                                std::ostream& out) {
  if (absl::Status status = PinTo(options.load_cpu); !status.ok()) return status;
  auto server =
      StartServer(options, "server", {"--metrics-listen=127.0.0.1:0", "--log-level=warn"});
  if (!server.ok()) return server.status();
  std::vector<Step> steps = {{0, (*server)->process().ResidentBytes()}};
  // A tenth of each step is sent in calls of one image, and the rest in large calls. Steps
  // alternate between unary calls and streams.
  const std::int64_t step = images / kSteps;
  const std::int64_t large = step * 9 / 10 / kImagesInCall;
  const std::int64_t small = step - large * kImagesInCall;
  for (int i = 1; i <= kSteps; ++i) {
    const bool streaming = i % 2 == 0;
    for (const Load& load : {Load{.name = "64 images",
                            .streaming = streaming,
                            .images = kImagesInCall,
                            .in_flight = 8,
                            .requests = large},
                             Load{.name = "1 image",
                             .streaming = streaming,
                             .images = 1,
                             .in_flight = 64,
                             .requests = small}}) {
      const auto observed = (*server)->Observe(load);
      if (!observed.ok()) return observed.status();
    }
    steps.push_back({i * step, (*server)->process().ResidentBytes()});
  }
  Write(options, steps, out);
  return (*server)->Stop();
}

}  // namespace hellocnn
