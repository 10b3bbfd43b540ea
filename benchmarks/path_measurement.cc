#include "benchmarks/path_measurement.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "benchmarks/cpus.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/simd/simd_engine.h"
#include "loadgen/core/images.h"
#include "loadgen/protocols/classify_protocol.h"
#include "loadgen/run/connect.h"

namespace hellocnn {
namespace {

constexpr int kImages = 1024;
constexpr int kLargestBatch = 64;

const std::atomic<bool> kNeverStopped = false;

load::Images MakeImages() { return load::GenerateImages(kImages, /*seed=*/1, {}); }

std::string FirstFailure(const load::Tally& tally) {
  for (int code = 1; code < load::kCodes; ++code) {
    if (tally.by_code[code] == 0) continue;
    return absl::StrCat(load::CodeName(code),
                        tally.messages[code].empty() ? "" : ": " + tally.messages[code].front());
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedServer>> LoadedServer::Start(
    const std::string& name, const std::string& program, const std::vector<std::string>& arguments,
    int cpu) {
  absl::StatusOr<std::unique_ptr<load::ServerProcess>> process =
      load::ServerProcess::Start(program, arguments, {.cpu = cpu});
  if (!process.ok()) return process.status();
  absl::StatusOr<load::Channels> channels =
      load::Connect({.target = (*process)->address()}, 1, std::chrono::seconds(10), kNeverStopped);
  if (!channels.ok()) return channels.status();
  return std::unique_ptr<LoadedServer>(
      new LoadedServer(name, *std::move(process), *std::move(channels)));
}

absl::StatusOr<Observed> LoadedServer::Observe(const Load& load) const {
  load::Plan plan;
  plan.in_flight = load.in_flight;
  plan.timeout = std::chrono::seconds(60);
  if (load.duration != absl::InfiniteDuration()) {
    plan.limits.duration = absl::ToChronoNanoseconds(load.duration);
  }
  plan.limits.requests = load.requests;
  const auto protocol =
      load::ClassifyProtocol(MakeImages(), {load.streaming, load.images, plan.timeout});
  const double cpu_before = process_->CpuSeconds();
  const load::Outcome outcome = load::Measure(plan, *protocol, channels_, {}, kNeverStopped);
  const double cpu = process_->CpuSeconds() - cpu_before;
  const load::Tally& total = outcome.total;
  if (total.failed() > 0 || total.answered() == 0) {
    return absl::InternalError(absl::StrCat(name_, ", ", load.name, ": ", total.failed(), " of ",
                                            total.requests(), " calls failed, wanted none; ",
                                            FirstFailure(total)));
  }
  return Observed{outcome.Rate(), outcome.ImageRate(),
                  static_cast<double>(total.latency.ValueAt(0.5)) * 1e-9,
                  static_cast<double>(total.latency.ValueAt(0.99)) * 1e-9,
                  cpu / static_cast<double>(total.answered())};
}

absl::StatusOr<std::unique_ptr<LoadedServer>> StartServer(const PathOptions& options,
                                                          const std::string& name,
                                                          std::vector<std::string> arguments) {
  for (const char* argument : {"--listen=127.0.0.1:0", "--threads=1", "--drain-delay=0s"}) {
    arguments.emplace_back(argument);
  }
  arguments.push_back("--model=" + options.model);
  return LoadedServer::Start(name, options.server, arguments, options.server_cpu);
}

absl::StatusOr<std::vector<Rivals>> StartRivals(const PathOptions& options) {
  std::vector<Rivals> all;
  for (const std::string transport : {"grpc", "http2"}) {
    const std::string flag = "--transport=" + transport;
    auto echo =
        LoadedServer::Start("echo, " + transport, options.echo_server, {flag}, options.server_cpu);
    if (!echo.ok()) return echo.status();
    auto server = StartServer(options, "server, " + transport,
                              {flag, "--metrics-listen=127.0.0.1:0", "--log-level=warn"});
    if (!server.ok()) return server.status();
    all.push_back({transport, *std::move(echo), *std::move(server)});
  }
  return all;
}

absl::Status StopRivals(const std::vector<Rivals>& rivals) {
  absl::Status status;
  for (const Rivals& one : rivals) {
    status.Update(one.server->Stop());
    status.Update(one.echo->Stop());
  }
  return status;
}

EngineAlone::EngineAlone(std::unique_ptr<Engine> engine)
    : engine_(std::move(engine)), images_(MakeImages()) {}

absl::StatusOr<std::unique_ptr<EngineAlone>> EngineAlone::Create(const std::string& model) {
  const absl::StatusOr<ModelCard> card = LoadModelCard(model);
  if (!card.ok()) return card.status();
  const absl::StatusOr<Weights> weights = LoadWeightFile(model + "/" + card->weights);
  if (!weights.ok()) return weights.status();
  const absl::StatusOr<EngineFactory> factory =
      SimdEngineFactory(*weights, card->normalization, kLargestBatch);
  if (!factory.ok()) return factory.status();
  absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
  if (!engine.ok()) return engine.status();
  return std::unique_ptr<EngineAlone>(new EngineAlone(*std::move(engine)));
}

absl::StatusOr<EngineAlone::Time> EngineAlone::Measure(int batch_size, absl::Duration duration,
                                                       int cpu, int home_cpu) {
  std::vector<ImageView> views;
  for (const client::Image& image : images_.images) {
    views.push_back(
        {PixelFormat::kGray8, reinterpret_cast<const std::byte*>(image.bytes().data())});
  }
  std::vector<float> log_probabilities(static_cast<std::size_t>(batch_size * engine_->classes()));
  std::vector<absl::Status> statuses(static_cast<std::size_t>(batch_size));
  absl::Status status = PinTo(cpu);
  std::vector<double> times;
  const Instant start = Clock::Monotonic()->Now();
  Instant now = start;
  for (std::size_t first = 0; status.ok() && now - start < duration;
       first = (first + batch_size) % (views.size() - batch_size + 1)) {
    engine_->Classify(std::span(views).subspan(first, batch_size), log_probabilities, statuses);
    for (const absl::Status& one : statuses) status.Update(one);
    const Instant before = std::exchange(now, Clock::Monotonic()->Now());
    times.push_back(absl::ToDoubleSeconds(now - before));
  }
  status.Update(PinTo(home_cpu));
  if (!status.ok()) return status;
  const double images = static_cast<double>(times.size()) * batch_size;
  return Time{absl::ToDoubleSeconds(now - start) / images, Median(std::move(times))};
}

absl::Status MeasureInRounds(int rounds, std::vector<Series>& series,
                             const std::function<absl::Status(bool counts)>& engine) {
  for (int round = 0; round <= rounds; ++round) {
    if (absl::Status status = engine(round > 0); !status.ok()) return status;
    for (std::size_t i = 0; i < series.size(); ++i) {
      Series& one = series[round % 2 == 0 ? i : series.size() - 1 - i];
      absl::StatusOr<Observed> observed = one.server->Observe(one.load);
      if (!observed.ok()) return observed.status();
      if (round > 0) one.rounds.push_back(*observed);
    }
  }
  return absl::OkStatus();
}

double MedianOf(const Series& series, double Observed::*figure) {
  return MedianOverRounds(static_cast<int>(series.rounds.size()),
                          [&](int round) { return series.rounds[round].*figure; });
}

double MedianOverRounds(int rounds, const std::function<double(int round)>& figure) {
  std::vector<double> values;
  for (int round = 0; round < rounds; ++round) values.push_back(figure(round));
  return Median(std::move(values));
}

void WriteSetUp(const PathOptions& options, std::ostream& out) {
  out << absl::StreamFormat("CPU: %s, %s; servers on CPU %d, load on CPU %d\n", CpuModel(),
                            SimdInstructionSet(), options.server_cpu, options.load_cpu);
  if (options.server_cpu == options.load_cpu) {
    out << "Both on the same CPU: these figures say nothing.\n";
  }
  out << absl::StreamFormat("Medians of %d rounds, %s for each measurement\n\n", options.rounds,
                            absl::FormatDuration(options.duration));
}

nlohmann::ordered_json SetUpToJson(const PathOptions& options) {
  return {{"cpu", CpuModel()},
          {"instruction_set", SimdInstructionSet()},
          {"server_cpu", options.server_cpu},
          {"load_cpu", options.load_cpu}};
}

void WriteSeries(const std::vector<Series>& series, std::ostream& out) {
  out << "| server | load | calls/s | images/s | p50, us | p99, us | us of the server's CPU a call "
         "|\n|---|---|---|---|---|---|---|\n";
  for (const Series& one : series) {
    out << absl::StreamFormat(
        "| %s | %s | %.0f | %.0f | %.1f | %.1f | %.1f |\n", one.server->name(), one.load.name,
        MedianOf(one, &Observed::calls_per_second), MedianOf(one, &Observed::images_per_second),
        MedianOf(one, &Observed::p50_seconds) * 1e6, MedianOf(one, &Observed::p99_seconds) * 1e6,
        MedianOf(one, &Observed::server_cpu_seconds_per_call) * 1e6);
  }
}

nlohmann::ordered_json SeriesToJson(const std::vector<Series>& series) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Series& one : series) {
    nlohmann::ordered_json rounds = nlohmann::ordered_json::array();
    for (const Observed& round : one.rounds) {
      rounds.push_back({{"calls_per_second", round.calls_per_second},
                        {"images_per_second", round.images_per_second},
                        {"p50_seconds", round.p50_seconds},
                        {"p99_seconds", round.p99_seconds},
                        {"server_cpu_seconds_per_call", round.server_cpu_seconds_per_call}});
    }
    rows.push_back(
        {{"server", one.server->name()}, {"load", one.load.name}, {"rounds", std::move(rounds)}});
  }
  return rows;
}

}  // namespace hellocnn
