#include "loadgen/report/prometheus_exporter.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/listen.h"
#include "loadgen/run/own_cpu.h"

namespace hellocnn::load {
namespace {

// Returns the bounds of buckets: 10 us to 10 s, in steps of 1, 2 and 5.
const std::vector<double>& Bounds() {
  static const auto* const kBounds =
      new std::vector<double>{1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2,
                              2e-2, 5e-2, 0.1,  0.2,  0.5,  1,    2,    5,    10};
  return *kBounds;
}

void Observe(const Histogram& from, prometheus::Histogram& to) {
  if (from.count() == 0) return;
  std::vector<double> increments(Bounds().size() + 1);
  std::size_t bucket = 0;
  for (const Histogram::Slot& slot : from.Slots()) {
    while (bucket < Bounds().size() && static_cast<double>(slot.lowest) * 1e-9 > Bounds()[bucket]) {
      ++bucket;
    }
    increments[bucket] += static_cast<double>(slot.count);
  }
  to.ObserveMultiple(increments, from.sum() * 1e-9);
}

}  // namespace

struct PrometheusExporter::Impl {
  prometheus::Counter& Counter(const std::string& name, const std::string& help,
                               const prometheus::Labels& labels = {}) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry).Add(labels);
  }
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
  }
  prometheus::Histogram& Durations(const std::string& name, const std::string& help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry).Add({}, Bounds());
  }

  const std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::array<prometheus::Counter*, kCodes> requests{};
  prometheus::Counter& images =
      Counter("hellocnn_load_images_total", "Images of requests that succeeded");
  prometheus::Counter& wrong =
      Counter("hellocnn_load_wrong_total", "Images whose class differs from the label");
  prometheus::Histogram& latency =
      Durations("hellocnn_load_request_duration_seconds",
                "From the intended send to the response, of requests that succeeded");
  prometheus::Histogram& service =
      Durations("hellocnn_load_service_duration_seconds",
                "From the real send to the response, of requests that succeeded");
  prometheus::Histogram& lag =
      Durations("hellocnn_load_send_lag_seconds", "Real minus intended send, of all requests");
  prometheus::Gauge& in_flight =
      Gauge("hellocnn_load_in_flight_requests", "Requests that are sent and have not ended");
  prometheus::Gauge& target_rate =
      Gauge("hellocnn_load_target_rate", "Requests a second that are wanted; 0 in a closed loop");
  prometheus::Gauge& cpu_ratio =
      Gauge("hellocnn_load_cpu_ratio", "Share of the CPUs it may use that the generator uses");
  prometheus::Counter& cpu_seconds =
      Counter("process_cpu_seconds_total", "User and system CPU time");
  prometheus::Gauge& resident_memory =
      Gauge("process_resident_memory_bytes", "Memory in RAM, in bytes");
  // Created last and destroyed first.
  std::unique_ptr<prometheus::Exposer> exposer;
};

absl::StatusOr<std::unique_ptr<PrometheusExporter>> PrometheusExporter::Start(
    const std::string& address) {
  auto impl = std::make_unique<Impl>();
  for (int code = 0; code < kCodes; ++code) {
    impl->requests[code] =
        &impl->Counter("hellocnn_load_requests_total", "Requests that ended, by status",
                       {{"code", CodeName(code)}});
  }
  // The HTTP server accepts only addresses, not names, and writes + for both families. It does not
  // say why it cannot listen.
  const absl::StatusOr<HostPort> resolved = ResolveToListen(address);
  if (!resolved.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--prometheus-listen: ", resolved.status().message()));
  }
  const std::string bind =
      resolved->host == "::" ? absl::StrCat("+", resolved->port) : JoinHostPort(*resolved);
  try {
    impl->exposer = std::make_unique<prometheus::Exposer>(bind, /*num_threads=*/1);
    impl->exposer->RegisterCollectable(impl->registry);
  } catch (const std::exception& error) {  // CivetException, whose header is not installed
    return absl::UnavailableError(
        absl::StrCat("--prometheus-listen: cannot listen on ", address, ": ", error.what(),
                     "; its HTTP server may know no IPv6, so choose an address of IPv4"));
  }
  return std::unique_ptr<PrometheusExporter>(new PrometheusExporter(std::move(impl)));
}

PrometheusExporter::PrometheusExporter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrometheusExporter::~PrometheusExporter() = default;

int PrometheusExporter::port() const { return impl_->exposer->GetListeningPorts().front(); }

void PrometheusExporter::SetTargetRate(double rate) { impl_->target_rate.Set(rate); }

void PrometheusExporter::See(const View& view) {
  for (const Tally* tally : view.latest) {
    for (int code = 0; code < kCodes; ++code) {
      impl_->requests[code]->Increment(static_cast<double>(tally->by_code[code]));
    }
    impl_->images.Increment(static_cast<double>(tally->images));
    impl_->wrong.Increment(static_cast<double>(tally->wrong));
    Observe(tally->latency, impl_->latency);
    Observe(tally->service, impl_->service);
    Observe(tally->lag, impl_->lag);
  }
  impl_->in_flight.Set(static_cast<double>(view.in_flight));
  impl_->cpu_ratio.Set(view.cpu_ratio);
  impl_->cpu_seconds.Increment(ProcessCpuSeconds() - impl_->cpu_seconds.Value());
  impl_->resident_memory.Set(static_cast<double>(ResidentMemoryBytes()));
}

}  // namespace hellocnn::load
