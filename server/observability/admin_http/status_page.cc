#include "server/observability/admin_http/status_page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace hellocnn::server {
namespace {

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Row(const char* name, const std::string& value) {
  return absl::StrCat("<tr><th>", name, "<td>", Escaped(value), "\n");
}

// "1,234 (56.7 a second)"
std::string CountAndRate(std::int64_t count, double seconds) {
  return absl::StrFormat("%d (%.1f a second)", count, static_cast<double>(count) / seconds);
}

// What has been counted, for people.
std::string Numbers(const ServerInfo& info, const Overview& overview, absl::Duration uptime) {
  const double seconds = absl::ToDoubleSeconds(uptime);
  const double per_batch = overview.batches == 0 ? 0
                                                 : static_cast<double>(overview.images) /
                                                       static_cast<double>(overview.batches);
  const double busy =
      absl::FDivDuration(overview.busy, uptime) / static_cast<double>(std::max(info.workers, 1));
  return absl::StrCat("<h2>Now</h2>\n<table>\n",
                      Row("Images in the queue",
                          absl::StrCat(overview.queued_images, " of ", overview.queue_capacity)),
                      Row("Requests in flight", absl::StrCat(overview.requests_in_flight)),
                      Row("Connections", absl::StrCat(overview.connections)),
                      "</table>\n<h2>Since the start</h2>\n<table>\n",
                      Row("Requests ended", CountAndRate(overview.requests, seconds)),
                      Row("of these not OK", CountAndRate(overview.failed_requests, seconds)),
                      Row("Images in OK responses", CountAndRate(overview.images, seconds)),
                      Row("Images a batch", absl::StrFormat("%.1f", per_batch)),
                      Row("Workers busy", absl::StrFormat("%.1f%%", busy * 100)), "</table>\n");
}

}  // namespace

std::string StatusPage(const ServerInfo& info, const std::string& state, const std::string& model,
                       const std::optional<Overview>& overview, absl::Duration uptime) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<meta http-equiv=\"refresh\" content=\"5\">\n"
      "<title>hellocnn-server: ",
      state,
      "</title>\n<style>body{font:1em sans-serif;margin:2em}th{text-align:left;padding-right:2em;"
      "font-weight:normal;color:#555}</style>\n</head><body>\n<h1>hellocnn-server is ",
      state, "</h1>\n<table>\n", Row("Version", info.version), Row("Model", model),
      Row("Workers", absl::StrCat(info.workers)),
      Row("Up for", absl::FormatDuration(absl::Trunc(uptime, absl::Seconds(1)))), "</table>\n",
      overview.has_value() ? Numbers(info, *overview, uptime)
                           : "<p>Metrics are off, so there are no numbers.</p>\n",
      "<p><a href=\"/metrics\">/metrics</a> for Prometheus, <a href=\"/livez\">/livez</a> "
      "and <a href=\"/readyz\">/readyz</a> for probes.</p>\n</body></html>\n");
}

}  // namespace hellocnn::server
