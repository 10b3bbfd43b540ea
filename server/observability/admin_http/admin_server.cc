#include "server/observability/admin_http/admin_server.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/observability/admin_http/status_page.h"

namespace hellocnn::server {
namespace {

HttpResponse MetricsPage(const PrometheusMetrics* metrics) {
  if (metrics == nullptr) {
    return {.status = 404, .body = "metrics are off: the server was started with --metrics=off\n"};
  }
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->Text()};
}

HttpResponse ReadinessPage(const AdminServer::Readiness& now) {
  return {.status = now.ready ? 200U : 503U, .body = absl::StrCat(now.state, "\n")};
}

HttpResponse PageForPeople(const AdminServer::Options& options, absl::Duration uptime) {
  std::optional<Overview> overview;
  if (options.metrics != nullptr) overview = options.metrics->overview();
  const AdminServer::Readiness readiness = options.readiness();
  return {.content_type = "text/html; charset=utf-8",
          .body = StatusPage(options.info, readiness.state, readiness.model, overview,
                             std::max(uptime, absl::Milliseconds(1)))};
}

HttpResponse NotAllowed(const absl::Status& why) {
  HttpResponse response{.status = absl::IsUnauthenticated(why) ? 401U : 403U,
                        .body = absl::StrCat(why.message(), "\n")};
  if (absl::IsUnauthenticated(why)) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(Options options) {
  HttpServer::Options http_options;
  http_options.address = options.address;
  http_options.tls = options.tls;
  http_options.on_tls_failure = options.on_tls_failure;
  const auto respond = [options = std::move(options), start = Clock::Monotonic()->Now()](
                           const HttpRequest& request) -> HttpResponse {
    const std::string& path = request.path;
    if (path == "/livez") return {.body = "ok\n"};
    if (path == "/readyz") return ReadinessPage(options.readiness());
    if (options.only_probes) return {.status = 404, .body = "known are /livez and /readyz\n"};
    const bool is_guarded = path == "/metrics" || path == "/";
    if (is_guarded && options.check != nullptr) {
      if (absl::Status may = options.check(request); !may.ok()) return NotAllowed(may);
    }
    if (path == "/metrics") return MetricsPage(options.metrics);
    if (path == "/") return PageForPeople(options, Clock::Monotonic()->Now() - start);
    return {.status = 404, .body = "known are /, /metrics, /livez and /readyz\n"};
  };
  absl::StatusOr<std::unique_ptr<HttpServer>> http =
      HttpServer::Start(std::move(http_options), RespondAtOnce(respond));
  if (!http.ok()) return http.status();
  return std::unique_ptr<AdminServer>(new AdminServer(*std::move(http)));
}

}  // namespace hellocnn::server
