#include "loadgen/run/bench.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "loadgen/core/images.h"
#include "loadgen/protocols/classify_protocol.h"
#include "loadgen/run/connect.h"

namespace hellocnn::load {
namespace {

constexpr int kGeneratedImages = 1024;
constexpr Nanos kConnectPatience = std::chrono::seconds(10);
constexpr Nanos kStopNap = std::chrono::milliseconds(20);

// Returns what GetModel returns for `wanted`. Ends the call if `stop` becomes true.
absl::StatusOr<client::ModelInfo> ModelOf(const client::Client& client,
                                          const client::ModelVersion& wanted,
                                          const std::atomic<bool>& stop) {
  const client::Cancellation cancellation;
  std::atomic<bool> over = false;
  std::thread watcher([&] {
    while (!over.load() && !stop.load()) std::this_thread::sleep_for(kStopNap);
    cancellation.Cancel();
  });
  absl::StatusOr<client::ModelInfo> model =
      client.GetModel({.cancellation = cancellation, .model = wanted});
  over.store(true);
  watcher.join();
  if (!model.ok() && stop.load()) {
    return absl::CancelledError("interrupted while connecting to the server");
  }
  return model;
}

}  // namespace

absl::StatusOr<Bench> Bench::Open(const client::Client& client, Setup setup,
                                  const std::atomic<bool>& stop) {
  const absl::StatusOr<client::ModelInfo> model = ModelOf(client, setup.wanted_model, stop);
  if (!model.ok()) return model.status();
  if (const client::ModelVersion& wanted = setup.wanted_model;
      (!wanted.name.empty() && wanted.name != model->name) ||
      (!wanted.version.empty() && wanted.version != model->version)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server has chosen model '", model->name, "', version '", model->version,
                     "', whatever the request says; it is too old to have several models"));
  }
  const int most = model->limits.max_images_per_request;
  if (setup.images_per_request > most) {
    return absl::InvalidArgumentError(absl::StrCat("--images-per-request is ",
                                                   setup.images_per_request,
                                                   "; the server accepts at most ", most));
  }
  setup.model = model->name + "/" + model->version;
  setup.tls = client.options().tls.has_value();
  setup.round_robin = client.options().round_robin;
  setup.started_at = absl::ToUnixSeconds(absl::Now());
  const PixelOptions pixels{setup.pixel_format == "float32", model->preprocessing};
  const absl::StatusOr<Images> images = setup.data.empty()
                                            ? GenerateImages(kGeneratedImages, setup.seed, pixels)
                                            : ReadImages(setup.data, setup.mending, pixels);
  if (!images.ok()) return images.status();
  Bench bench(std::move(setup));
  const Setup& of = bench.setup_;
  bench.protocol_ = ClassifyProtocol(
      *images, {of.mode == "stream", of.images_per_request, absl::ToChronoNanoseconds(of.timeout),
                static_cast<int>(model->labels.size()), of.priority == "low", of.wanted_model});
  if (of.arrivals == "recorded") {
    absl::StatusOr<std::vector<Nanos>> times = ReadSendTimes(of.send_times);
    if (!times.ok()) return times.status();
    bench.send_times_ = std::make_shared<const std::vector<Nanos>>(*std::move(times));
  }
  absl::StatusOr<Channels> channels =
      Connect(client.options(), of.connections, kConnectPatience, stop);
  if (!channels.ok()) return channels.status();
  bench.channels_ = *std::move(channels);
  return bench;
}

ArrivalsFactory Bench::ArrivalsOf(const Load& load) const {
  if (setup_.arrivals == "closed") return nullptr;
  if (setup_.arrivals == "recorded") {
    return [times = send_times_] { return RecordedArrivals(times); };
  }
  if (setup_.arrivals == "ramp") {
    const Nanos all = load.limits.warm_up + load.limits.duration;
    return [load, all] { return RampArrivals(load.ramp_from, load.rate, all); };
  }
  if (setup_.arrivals == "poisson") {
    return [rate = load.rate, seed = setup_.seed] { return PoissonArrivals(rate, seed); };
  }
  return [rate = load.rate] { return ConstantArrivals(rate); };
}

Run Bench::Interrupted(const Load& load) const {
  Run run;
  run.concurrency = load.concurrency;
  run.rate = load.rate;
  run.outcome.open_loop = setup_.arrivals != "closed";
  run.outcome.interrupted = true;
  return run;
}

Run Bench::Measure(const Load& load, absl::Span<Observer* const> observers,
                   const std::atomic<bool>& stop) const {
  Plan plan;
  plan.arrivals = ArrivalsOf(load);
  plan.in_flight = plan.arrivals ? setup_.most_in_flight : load.concurrency;
  plan.threads = setup_.threads;
  plan.limits = load.limits;
  plan.windows = load.windows;
  plan.timeout = absl::ToChronoNanoseconds(setup_.timeout);
  Run run;
  run.concurrency = load.concurrency;
  run.rate = load.rate;
  run.outcome = load::Measure(plan, *protocol_, channels_, observers, stop);
  return run;
}

}  // namespace hellocnn::load
