#include "server/http/http_server.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http/http_get.h"

namespace hellocnn::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::unique_ptr<HttpServer> StartAt(const std::string& address) {
  auto server = HttpServer::Start({.address = address},
                                  RespondAtOnce([](const HttpRequest& request) -> HttpResponse {
                                    return {.status = request.path == "/" ? 200U : 404U,
                                            .body = "you asked for " + request.path};
                                  }));
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

TEST(HttpServerTest, HandlerAnswersGetsByPath) {
  const auto server = StartAt("127.0.0.1:0");
  ASSERT_GT(server->port(), 0);
  EXPECT_THAT(Request(server->port(), "GET", "/"), StartsWith("HTTP/1.1 200"));
  const std::string answer = Request(server->port(), "GET", "/other?query");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nyou asked for /other"));
}

TEST(HttpServerTest, ThePageIsTheSameHoweverItsAddressIsWritten) {
  const auto server = StartAt("127.0.0.1:0");
  for (const char* target : {"/metrics", "/metrics/", "/metrics//", "/metrics?name=x", "/metrics/?",
                             "/%6detrics", "http://localhost:9464/metrics", "http://h/metrics/",
                             "https://[::1]:1/metrics?a=/b", "HTTP://user@h:80/metrics"}) {
    EXPECT_THAT(Request(server->port(), "GET", target), EndsWith("\r\n\r\nyou asked for /metrics"))
        << target;
  }
  for (const char* target :
       {"/", "//", "/?a", "http://localhost:9464", "http://localhost:9464/", "http://h?a=b"}) {
    EXPECT_THAT(Request(server->port(), "GET", target), EndsWith("\r\n\r\nyou asked for /"))
        << target;
  }
  for (const char* target : {"/metrics/x", "/x/metrics", "/x?://h/metrics", "/http://h/metrics"}) {
    EXPECT_THAT(Request(server->port(), "GET", target), Not(EndsWith("you asked for /metrics")))
        << target;
  }
}

TEST(HttpServerTest, HeadGetsTheHeadersOnly) {
  const auto server = StartAt("127.0.0.1:0");
  const std::string answer = Request(server->port(), "HEAD", "/");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(HttpServerTest, OtherMethodsAreNotAllowed) {
  const auto server = StartAt("127.0.0.1:0");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"}) {
    const std::string answer = Request(server->port(), method, "/");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
  }
}

// The library is written in C: an exception that runs through it ends the process or its thread.
TEST(HttpServerTest, HandlerThatThrowsIsAnErrorForThatRequestOnly) {
  const auto server = HttpServer::Start(
      {.address = "127.0.0.1:0"}, RespondAtOnce([](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/error") throw std::runtime_error("the page is torn");
        if (request.path == "/other") throw 42;
        return {.body = "fine"};
      }));
  ASSERT_TRUE(server.ok()) << server.status();
  for (const char* path : {"/error", "/other"}) {
    const std::string answer = Request((*server)->port(), "GET", path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500")) << path;
    EXPECT_THAT(answer, Not(HasSubstr("torn"))) << "internals are for the log";
    EXPECT_THAT(Request((*server)->port(), "GET", "/"), EndsWith("fine"));
  }
}

TEST(HttpServerTest, HostNamesAndIpv6AddressesAreUnderstood) {
  EXPECT_THAT(Request(StartAt("localhost:0")->port(), "GET", "/"), StartsWith("HTTP/1.1 200"));
  // All addresses, those of IPv4 too.
  EXPECT_THAT(Request(StartAt("[::]:0")->port(), "GET", "/"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServerTest, AddressThatCannotBeListenedOnIsAnErrorThatNamesIt) {
  const auto first = StartAt("127.0.0.1:0");
  const std::string taken = "127.0.0.1:" + std::to_string(first->port());
  for (const std::string& address : {taken, std::string("no-such-host.invalid:1")}) {
    const auto second = HttpServer::Start(
        {.address = address}, RespondAtOnce([](const HttpRequest&) { return HttpResponse{}; }));
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
  }
}

TEST(HttpServerTest, StopsListeningWhenDestroyedWhateverIsConnected) {
  auto server = StartAt("127.0.0.1:0");
  const int port = server->port();
  const HttpConnection idle(port);
  server = nullptr;
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_EQ(Request(port, "GET", "/"), "");
}

TEST(HttpServerTest, ConnectionsThatHoldOnGiveWayToOneThatAsks) {
  const auto server = StartAt("127.0.0.1:0");
  std::vector<std::unique_ptr<HttpConnection>> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<HttpConnection>(server->port()));
    slow.back()->Send("GET / HTTP/1.1\r\nHost: ");
  }
  EXPECT_THAT(Request(server->port(), "GET", "/"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(slow.front()->ReadAll(), "");  // it was closed
}

TEST(HttpServerTest, HugeHeadersAreRefused) {
  const auto server = StartAt("127.0.0.1:0");
  const HttpConnection greedy(server->port());
  greedy.Send("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + std::string(100'000, 'x'));
  EXPECT_THAT(greedy.ReadAll(), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Request(server->port(), "GET", "/"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace hellocnn::server
