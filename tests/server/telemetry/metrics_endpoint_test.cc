#include "server/telemetry/metrics_endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/telemetry/prometheus_metrics.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The whole answer to an HTTP GET on loopback; "" if nobody listens.
std::string Get(int port, const std::string& path) {
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  std::string answer;
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(send(connection, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t n; (n = recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(n));
    }
  }
  close(connection);
  return answer;
}

TEST(MetricsEndpointTest, ServesTheMetricsOnTheFreePortItPicked) {
  PrometheusMetrics metrics(128);
  metrics.OnRequest("Classify", absl::StatusCode::kOk, absl::Milliseconds(1));
  const auto endpoint = MetricsEndpoint::Start("127.0.0.1:0", metrics.collectable());
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  ASSERT_GT((*endpoint)->port(), 0);
  const std::string answer = Get((*endpoint)->port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("hellocnn_queue_capacity_images 128\n"));
  EXPECT_THAT(answer, HasSubstr("hellocnn_requests_total{code=\"OK\",method=\"Classify\"} 1\n"));
  EXPECT_THAT(Get((*endpoint)->port(), "/other"), StartsWith("HTTP/1.1 404"));
}

TEST(MetricsEndpointTest, StopsListeningWhenDestroyed) {
  PrometheusMetrics metrics(1);
  auto endpoint = MetricsEndpoint::Start("localhost:0", metrics.collectable());
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  const int port = (*endpoint)->port();
  *endpoint = nullptr;
  EXPECT_EQ(Get(port, "/metrics"), "");
}

TEST(MetricsEndpointTest, AddressInUseIsAnErrorThatNamesIt) {
  PrometheusMetrics metrics(1);
  const auto first = MetricsEndpoint::Start("127.0.0.1:0", metrics.collectable());
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string taken = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = MetricsEndpoint::Start(taken, metrics.collectable());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(taken));
}

}  // namespace
}  // namespace hellocnn::server
