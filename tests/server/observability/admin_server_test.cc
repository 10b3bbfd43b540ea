#include "server/observability/admin_http/admin_server.h"

#include <atomic>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/observability/admin_http/status_page.h"
#include "tests/server/http/http_get.h"

namespace hellocnn::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() : admin_(Start(&metrics_)) {}

  std::unique_ptr<AdminServer> Start(const PrometheusMetrics* metrics) {
    auto admin = AdminServer::Start({.address = "127.0.0.1:0",
                                     .info = info_,
                                     .readiness = [this]() -> AdminServer::Readiness {
                                       const std::string state = state_.load();
                                       return {.ready = state == "serving", .state = state};
                                     },
                                     .metrics = metrics});
    EXPECT_TRUE(admin.ok()) << admin.status();
    return *std::move(admin);
  }
  std::string Get(const std::string& path) const { return Request(admin_->port(), "GET", path); }

  const ServerInfo info_ = {.version = "1.2.3", .workers = 1, .queue_capacity = 128};
  PrometheusMetrics metrics_{info_};
  std::atomic<const char*> state_ = "loading";
  std::unique_ptr<AdminServer> admin_;
};

TEST_F(AdminServerTest, ServesTheMetricsInPrometheusFormat) {
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("\nhellocnn_workers "));
}

TEST_F(AdminServerTest, LivesFromTheStartAndIsReadyWhileItServes) {
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), EndsWith("\r\n\r\nloading\n"));
  state_ = "serving";
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  state_ = "draining";
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), EndsWith("\r\n\r\ndraining\n"));
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
}

TEST_F(AdminServerTest, RootIsAPageForPeople) {
  const std::string answer = Get("/");
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/html"));
  EXPECT_THAT(answer, HasSubstr("1.2.3"));
  EXPECT_THAT(answer, HasSubstr("href=\"/metrics\""));
  EXPECT_THAT(answer, HasSubstr("Requests ended"));
  EXPECT_THAT(answer, Not(HasSubstr("<script")));
}

TEST_F(AdminServerTest, ProbesAndPageWorkWithoutMetrics) {
  admin_ = Start(nullptr);
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  state_ = "serving";
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  const std::string page = Get("/");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(page, HasSubstr("hellocnn-server is serving"));
  EXPECT_THAT(page, HasSubstr("Metrics are off"));
  EXPECT_THAT(page, Not(HasSubstr("Requests ended")));
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(metrics, EndsWith("metrics are off: the server was started with --metrics=off\n"));
}

TEST_F(AdminServerTest, OtherPathsAreNotFound) {
  EXPECT_THAT(Get("/other"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Get("/metrics/more"), StartsWith("HTTP/1.1 404"));
}

TEST(StatusPageTest, ShowsTheNumbersAndTheirRates) {
  const ServerInfo info{.workers = 2};
  Overview overview{};
  overview.requests = 50;
  overview.failed_requests = 5;
  overview.images = 300;
  overview.batches = 200;
  overview.queued_images = 17;
  overview.queue_capacity = 128;
  overview.busy = absl::Seconds(10);
  const std::string page = StatusPage(info, "serving", "<b>bold</b>", overview, absl::Seconds(100));
  EXPECT_THAT(page, HasSubstr("hellocnn-server is serving"));
  EXPECT_THAT(page, HasSubstr("50 (0.5 a second)"));
  EXPECT_THAT(page, HasSubstr("5 (0.1 a second)"));
  EXPECT_THAT(page, HasSubstr("300 (3.0 a second)"));
  EXPECT_THAT(page, HasSubstr("17 of 128"));
  EXPECT_THAT(page, HasSubstr("<td>1.5\n"));   // images a batch
  EXPECT_THAT(page, HasSubstr("<td>5.0%\n"));  // 10 of 2 x 100 seconds
  EXPECT_THAT(page, HasSubstr("<td>1m40s\n"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;bold"));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace hellocnn::server
