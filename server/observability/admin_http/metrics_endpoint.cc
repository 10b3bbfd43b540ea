#include "server/observability/admin_http/metrics_endpoint.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "server/observability/admin_http/status_page.h"

namespace hellocnn::server {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address, const ServerInfo& info, std::function<Readiness()> readiness,
    const PrometheusMetrics* metrics) {
  const auto answer = [info, readiness = std::move(readiness), metrics,
                       start = Clock::Monotonic()->Now()](std::string_view path) -> HttpResponse {
    if (path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->Text()};
    }
    if (path == "/livez") return {.body = "ok\n"};
    if (path == "/readyz") {
      const Readiness now = readiness();
      return {.status = now.ready ? 200U : 503U, .body = absl::StrCat(now.state, "\n")};
    }
    if (path == "/") {
      const absl::Duration uptime =
          std::max(Clock::Monotonic()->Now() - start, absl::Milliseconds(1));
      return {.content_type = "text/html; charset=utf-8",
              .body = StatusPage(info, readiness().state, metrics->overview(), uptime)};
    }
    return {.status = 404, .body = "known are /, /metrics, /livez and /readyz\n"};
  };
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(address, answer);
  if (!server.ok()) return server.status();
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(*std::move(server)));
}

}  // namespace hellocnn::server
