#include "server/telemetry/metrics_endpoint.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::server {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address, std::shared_ptr<prometheus::Collectable> metrics) {
  // The HTTP server below knows addresses only, no names.
  std::string bind = address;
  if (bind.rfind("localhost:", 0) == 0) bind.replace(0, sizeof("localhost") - 1, "127.0.0.1");
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(bind, /*num_threads=*/1);
    exposer->RegisterCollectable(metrics);
    const std::vector<int> ports = exposer->GetListeningPorts();
    if (ports.empty()) {
      return absl::UnavailableError(absl::StrCat("metrics endpoint ", address, " has no port"));
    }
    return std::unique_ptr<MetricsEndpoint>(
        new MetricsEndpoint(std::move(metrics), std::move(exposer), ports.front()));
  } catch (const std::exception& error) {  // CivetException, of a header that is not installed
    return absl::UnavailableError(
        absl::StrCat("metrics endpoint cannot listen on ", address, ": ", error.what()));
  }
}

MetricsEndpoint::MetricsEndpoint(std::shared_ptr<prometheus::Collectable> metrics,
                                 std::unique_ptr<prometheus::Exposer> exposer, int port)
    : metrics_(std::move(metrics)), exposer_(std::move(exposer)), port_(port) {}

MetricsEndpoint::~MetricsEndpoint() = default;

}  // namespace hellocnn::server
