// The page for people at the admin port's /.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_STATUS_PAGE_H_
#define HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_STATUS_PAGE_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/observability/server_info.h"

namespace hellocnn::server {

// Returns HTML that needs neither JavaScript nor another file and reloads itself. `uptime` > 0.
// `state` completes the sentence "hellocnn-server is …". There is no overview if metrics are off.
std::string StatusPage(const ServerInfo& info, const std::string& state, const std::string& model,
                       const std::optional<Overview>& overview, absl::Duration uptime);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_STATUS_PAGE_H_
