// What the metrics port answers: Prometheus, probes and people.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_METRICS_ENDPOINT_H_
#define HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_METRICS_ENDPOINT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/observability/admin_http/http_server.h"
#include "server/observability/prometheus/prometheus_metrics.h"

namespace hellocnn::server {

// Until it is destroyed, on a thread of its own:
//   /metrics  Prometheus' text format
//   /livez    200 while the process works
//   /readyz   200 while it serves, else 503 and the reason: loading or draining
//   /         a page for people
// and 404 for the rest.
class MetricsEndpoint {
 public:
  struct Readiness {
    bool ready;
    std::string state;  // "loading", "serving", "draining" or "stopped"
  };

  // `readiness` is called on the endpoint's thread, for each request; it must not block. `metrics`
  // outlives the endpoint. Errors are those of HttpServer::Start.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, const ServerInfo& info, std::function<Readiness()> readiness,
      const PrometheusMetrics* metrics);

  int port() const { return server_->port(); }

 private:
  explicit MetricsEndpoint(std::unique_ptr<HttpServer> server) : server_(std::move(server)) {}

  const std::unique_ptr<HttpServer> server_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_METRICS_ENDPOINT_H_
