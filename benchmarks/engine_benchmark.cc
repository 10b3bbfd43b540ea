#include "benchmarks/engine_benchmark.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmarks/figures.h"
#include "benchmarks/roofline.h"
#include "hellocnn/engine.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/simd/simd_engine.h"
#include "hellocnn/topology.h"
#include "hellocnn/torch/torch_engine.h"

namespace hellocnn {
namespace {

constexpr char kRoofline[] = "roofline";

// CPU seconds of one iteration, with one entry for each repetition, by the benchmark's name.
using Times = std::map<std::string, std::vector<double>>;

class Collector : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(Times* times) : times_(times) {}
  bool ReportContext(const Context& /*context*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      (*times_)[run.run_name.function_name].push_back(run.cpu_accumulated_time /
                                                      static_cast<double>(run.iterations));
    }
  }

 private:
  Times* const times_;
};

// Returns grey images with about as many dark pixels as digits have.
std::vector<std::uint8_t> MakePixels(int count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * kImagePixels);
  std::uint32_t state = 1;
  for (std::uint8_t& pixel : pixels) {
    state = state * 1664525 + 1013904223;
    pixel = state >> 30 == 0 ? static_cast<std::uint8_t>(state >> 16) : 0;
  }
  return pixels;
}

std::string MeasurementName(const std::string& engine, int batch_size) {
  return absl::StrCat(engine, "@", batch_size);
}

// The results in microseconds an image.
class Results {
 public:
  // `multiply_adds` is the number in one run of the roofline, and `per_image` the number that an
  // image needs.
  Results(const EngineBenchmarkOptions& options, Times times, std::int64_t multiply_adds,
          std::int64_t per_image)
      : options_(options), times_(std::move(times)), multiply_adds_per_image_(per_image) {
    const std::vector<double>& roofline = times_.at(kRoofline);
    multiply_adds_per_second_ =
        static_cast<double>(multiply_adds) / *std::min_element(roofline.begin(), roofline.end());
  }

  double multiply_adds_per_second() const { return multiply_adds_per_second_; }
  std::int64_t multiply_adds_per_image() const { return multiply_adds_per_image_; }
  double RooflineMicroseconds() const {
    return static_cast<double>(multiply_adds_per_image_) / multiply_adds_per_second_ * 1e6;
  }

  std::optional<double> Fastest(const std::string& engine, int batch_size) const {
    const auto found = times_.find(MeasurementName(engine, batch_size));
    if (found == times_.end()) return std::nullopt;
    return *std::min_element(found->second.begin(), found->second.end()) / batch_size * 1e6;
  }
  std::optional<double> Typical(const std::string& engine, int batch_size) const {
    const auto found = times_.find(MeasurementName(engine, batch_size));
    if (found == times_.end()) return std::nullopt;
    return Median(found->second) / batch_size * 1e6;
  }

  const EngineBenchmarkOptions& options() const { return options_; }

 private:
  const EngineBenchmarkOptions& options_;
  const Times times_;
  const std::int64_t multiply_adds_per_image_;
  double multiply_adds_per_second_;
};

std::vector<Ratio> MakeRatios(const Results& results) {
  const auto times_as_fast = [&results](const std::string& engine,
                                        int batch_size) -> std::optional<double> {
    const auto eager = results.Fastest("torch-eager", batch_size);
    const auto other = results.Fastest(engine, batch_size);
    if (!eager || !other) return std::nullopt;
    return *eager / *other;
  };
  std::optional<double> fraction;
  if (const auto simd = results.Fastest("simd", 64))
    fraction = results.RooflineMicroseconds() / *simd;
  return {
      {"simd at 64, times as fast as torch-eager at 64", times_as_fast("simd", 64), 25, 35},
      {"simd at 64, fraction of the roofline", fraction, 0.70, 0.90},
      {"simd at 1, times as fast as torch-eager at 1", times_as_fast("simd", 1), 10, 15},
      {"torch at 64, times as fast as torch-eager at 64", times_as_fast("torch", 64), 7, {}},
  };
}

void WriteTables(const Results& results, std::ostream& out) {
  const EngineBenchmarkOptions& options = results.options();
  out << absl::StreamFormat(
      "CPU: %s, %s\nRoofline: %.1f G fp32 multiply-adds a second, so %.2f us for the %d of an "
      "image\n\n",
      CpuModel(), SimdInstructionSet(), results.multiply_adds_per_second() / 1e9,
      results.RooflineMicroseconds(), results.multiply_adds_per_image());
  out << absl::StreamFormat("us of CPU an image, one thread; fastest of %d (median)\n\n",
                            options.repetitions);
  out << "| batch |";
  for (const std::string& engine : options.engines) out << absl::StreamFormat(" %17s |", engine);
  out << " simd, of the roofline |\n|---|";
  for (std::size_t i = 0; i < options.engines.size(); ++i) out << "---|";
  out << "---|\n";
  for (const int batch_size : options.batch_sizes) {
    out << absl::StreamFormat("| %5d |", batch_size);
    for (const std::string& engine : options.engines) {
      out << absl::StreamFormat(" %7.2f (%7.2f) |", *results.Fastest(engine, batch_size),
                                *results.Typical(engine, batch_size));
    }
    if (const auto simd = results.Fastest("simd", batch_size)) {
      out << absl::StreamFormat(" %21.2f |\n", results.RooflineMicroseconds() / *simd);
    } else {
      out << "                       |\n";
    }
  }
  WriteRatios(MakeRatios(results), out);
}

void WriteJson(const Results& results, std::ostream& out) {
  const EngineBenchmarkOptions& options = results.options();
  nlohmann::ordered_json json;
  json["cpu"] = CpuModel();
  json["instruction_set"] = SimdInstructionSet();
  json["roofline_multiply_adds_per_second"] = results.multiply_adds_per_second();
  json["multiply_adds_per_image"] = results.multiply_adds_per_image();
  json["repetitions"] = options.repetitions;
  json["measurements"] = nlohmann::ordered_json::array();
  for (const std::string& engine : options.engines) {
    for (const int batch_size : options.batch_sizes) {
      json["measurements"].push_back(
          {{"engine", engine},
           {"batch_size", batch_size},
           {"fastest_cpu_seconds_per_image", *results.Fastest(engine, batch_size) * 1e-6},
           {"median_cpu_seconds_per_image", *results.Typical(engine, batch_size) * 1e-6}});
    }
  }
  json["ratios"] = RatiosToJson(MakeRatios(results));
  out << json.dump(2) << "\n";
}

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const std::string& name, const Weights& weights,
                                                   const Normalization& normalization,
                                                   int max_batch_size) {
  const auto make = name == "simd"    ? SimdEngineFactory
                    : name == "torch" ? TorchEngineFactory
                                      : TorchEagerEngineFactory;
  absl::StatusOr<EngineFactory> factory = make(weights, normalization, max_batch_size);
  if (!factory.ok()) return factory.status();
  return (*factory)();
}

}  // namespace

absl::Status RunEngineBenchmark(const EngineBenchmarkOptions& options, std::ostream& out) {
  const absl::StatusOr<ModelCard> card = LoadModelCard(options.model);
  if (!card.ok()) return card.status();
  const absl::StatusOr<Weights> weights = LoadWeightFile(options.model + "/" + card->weights);
  if (!weights.ok()) return weights.status();
  SetUpLibTorch();

  const int largest = *std::max_element(options.batch_sizes.begin(), options.batch_sizes.end());
  const std::vector<std::uint8_t> pixels = MakePixels(largest);
  std::vector<ImageView> images;
  for (int i = 0; i < largest; ++i) {
    images.push_back({PixelFormat::kGray8, reinterpret_cast<const std::byte*>(
                                               &pixels[std::size_t{1} * i * kImagePixels])});
  }
  const auto classes = static_cast<std::size_t>(weights->classes());
  std::vector<float> log_probabilities(images.size() * classes);
  std::vector<absl::Status> statuses(images.size());
  std::vector<std::unique_ptr<Engine>> engines;
  absl::Status failure;
  for (const std::string& name : options.engines) {
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        MakeEngine(name, *weights, card->normalization, largest);
    if (!engine.ok()) return engine.status();
    engines.push_back(*std::move(engine));
    for (const int batch_size : options.batch_sizes) {
      const auto views = std::span(images).first(batch_size);
      const auto rows = std::span(log_probabilities).first(batch_size * classes);
      const auto outcomes = std::span(statuses).first(batch_size);
      const auto classify = [engine = engines.back().get(), views, rows, outcomes,
                             &failure](benchmark::State& state) {
        for (auto _ : state) engine->Classify(views, rows, outcomes);
        for (const absl::Status& status : outcomes) failure.Update(status);
      };
      benchmark::RegisterBenchmark(MeasurementName(name, batch_size).c_str(), classify);
    }
  }
  std::int64_t multiply_adds = 0;
  benchmark::RegisterBenchmark(kRoofline, [&multiply_adds](benchmark::State& state) {
    for (auto _ : state) multiply_adds = RunMultiplyAdds();
  });

  // Settings for all benchmarks are flags, which are read from arguments.
  std::vector<std::string> flags = {
      "hellocnn-bench", "--benchmark_enable_random_interleaving=true",
      absl::StrCat("--benchmark_repetitions=", options.repetitions),
      absl::StrCat("--benchmark_min_time=", absl::ToDoubleSeconds(options.min_time))};
  std::vector<char*> arguments;
  for (std::string& flag : flags) arguments.push_back(flag.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  Times times;
  Collector collector(&times);
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::Shutdown();
  if (!failure.ok()) return failure;

  const Results results(options, std::move(times), multiply_adds,
                        TotalMultiplyAdds(weights->classes()));
  if (options.json) {
    WriteJson(results, out);
  } else {
    WriteTables(results, out);
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
