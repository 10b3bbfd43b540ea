// The HTTP endpoint that Prometheus scrapes.
#ifndef HELLOCNN_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
#define HELLOCNN_SERVER_TELEMETRY_METRICS_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace hellocnn::server {

// Serves GET /metrics until it is destroyed, on threads of its own.
class MetricsEndpoint {
 public:
  // `address` is host:port; port 0 picks a free one. UNAVAILABLE names the address if it cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, std::shared_ptr<prometheus::Collectable> metrics);
  ~MetricsEndpoint();

  int port() const { return port_; }

 private:
  MetricsEndpoint(std::shared_ptr<prometheus::Collectable> metrics,
                  std::unique_ptr<prometheus::Exposer> exposer, int port);

  const std::shared_ptr<prometheus::Collectable> metrics_;  // the exposer holds a weak pointer only
  const std::unique_ptr<prometheus::Exposer> exposer_;
  const int port_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
