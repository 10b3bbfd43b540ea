// The HTTP port for operators: probes, metrics for Prometheus, and a page for people.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_ADMIN_SERVER_H_
#define HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_ADMIN_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/http_server.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/observability/server_info.h"
#include "server/tls/tls_credentials.h"

namespace hellocnn::server {

// Serves these pages, on a thread of its own, until it is destroyed:
//   /livez    200 while the process works
//   /readyz   200 while the server is ready, otherwise 503; the body is the server's state
//   /metrics  Prometheus' text format, or 404 if metrics are off
//   /         a page for people
// With `check`, the last two get 401 or 403 if it returns UNAUTHENTICATED or another error.
// A port for probes has the first two alone.
// Every other path gets 404.
class AdminServer {
 public:
  struct Readiness {
    bool ready;
    std::string state;  // "loading", "serving", "draining" or "stopped"
    std::string model;  // the default model and its engine, for people
  };

  struct Options {
    std::string address;  // as HttpServer takes it
    bool only_probes = false;
    // As HttpServer takes them.
    const TlsCredentials* tls = nullptr;
    std::function<void(const std::string& peer, const std::string& reason)> on_tls_failure =
        [](const std::string&, const std::string&) {};
    ServerInfo info;
    // Called on the server's thread. It must be thread-safe and not block.
    std::function<Readiness()> readiness;
    // Null if metrics are off. Otherwise it outlives the server.
    const PrometheusMetrics* metrics = nullptr;
    // Says whether a request may see the metrics and the page for people. Null if all may. Called
    // as `readiness` is.
    std::function<absl::Status(const HttpRequest&)> check = nullptr;
  };

  // Errors are those of HttpServer::Start.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(Options options);

  int port() const { return http_->port(); }

 private:
  explicit AdminServer(std::unique_ptr<HttpServer> http) : http_(std::move(http)) {}

  const std::unique_ptr<HttpServer> http_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_ADMIN_SERVER_H_
