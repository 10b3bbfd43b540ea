#include "loadgen/run/bench.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "loadgen/core/images.h"
#include "loadgen/protocols/classify_protocol.h"

namespace hellocnn::load {
namespace {

constexpr int kGeneratedImages = 1024;
constexpr Nanos kConnectPatience = std::chrono::seconds(10);

}  // namespace

absl::StatusOr<Bench> Bench::Open(const client::Client& client, Setup setup) {
  const absl::StatusOr<client::ModelInfo> model = client.GetModel();
  if (!model.ok()) return model.status();
  const int most = model->limits.max_images_per_request;
  if (setup.images_per_request > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--images-per-request is ", setup.images_per_request, "; the server takes at most ", most));
  }
  setup.model = model->name + "/" + model->version;
  setup.started_at = absl::ToUnixSeconds(absl::Now());
  const PixelOptions pixels{setup.pixel_format == "float32", model->preprocessing};
  const absl::StatusOr<Images> images = setup.data.empty()
                                            ? GenerateImages(kGeneratedImages, setup.seed, pixels)
                                            : ReadImages(setup.data, pixels);
  if (!images.ok()) return images.status();
  Bench bench(std::move(setup));
  const Setup& of = bench.setup_;
  bench.protocol_ = ClassifyProtocol(
      *images, {of.mode == "stream", of.images_per_request, absl::ToChronoNanoseconds(of.timeout)});
  if (of.arrivals == "recorded") {
    absl::StatusOr<std::vector<Nanos>> times = ReadSendTimes(of.send_times);
    if (!times.ok()) return times.status();
    bench.send_times_ = std::make_shared<const std::vector<Nanos>>(*std::move(times));
  }
  absl::StatusOr<Channels> channels = Connect(of.target, of.connections, kConnectPatience);
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
