// Bodies of requests, and responses that come later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "server/http/http_server.h"
#include "tests/server/http/http_get.h"

namespace hellocnn::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

HttpServer::Options TakesBodies(int threads = 1) {
  return {.address = "127.0.0.1:0",
          .methods = {"GET", "HEAD", "POST"},
          .threads = threads,
          .body_bytes = 1000,
          .memory_bytes = 10'000};
}

std::string Post(int port, const std::string& body, const std::string& more = "") {
  const HttpConnection connection(port);
  connection.Send(absl::StrCat("POST /a?b=c%20d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", more,
                               "Content-Length: ", body.size(), "\r\n\r\n", body));
  return connection.ReadAll();
}

// Keeps what it is asked, until the test answers.
class Later {
 public:
  HttpServer::Handler handler() {
    return [this](const HttpRequest& request, HttpServer::Responder respond) {
      MutexLock lock(&mutex_);
      asked_.emplace_back(&request, std::move(respond));
      changed_.SignalAll();
    };
  }
  // Blocks until there is a request.
  std::pair<const HttpRequest*, HttpServer::Responder> Take() {
    MutexLock lock(&mutex_);
    while (asked_.empty()) changed_.Wait(&mutex_);
    auto first = std::move(asked_.front());
    asked_.erase(asked_.begin());
    return first;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::pair<const HttpRequest*, HttpServer::Responder>> asked_;
};

TEST(HttpServerBodyTest, ARequestHasAllThatWasSent) {
  const auto server = HttpServer::Start(
      TakesBodies(), RespondAtOnce([](const HttpRequest& request) -> HttpResponse {
        return {.body = absl::StrCat(request.method, " ", request.path, " ", request.query.at("b"),
                                     " ", request.headers.at("x-one"), " ", request.peer, " ",
                                     request.body)};
      }));
  ASSERT_TRUE(server.ok());
  EXPECT_THAT(Post((*server)->port(), "the body", "X-ONE: two\r\n"),
              EndsWith("\r\n\r\nPOST /a c d two 127.0.0.1 the body"));
}

TEST(HttpServerBodyTest, BodiesAreBounded) {
  const auto server = HttpServer::Start(
      TakesBodies(), RespondAtOnce([](const HttpRequest& request) -> HttpResponse {
        return {.body = absl::StrCat(request.body.size(), " bytes")};
      }));
  ASSERT_TRUE(server.ok());
  const int port = (*server)->port();
  EXPECT_THAT(Post(port, std::string(1000, 'x')), EndsWith("1000 bytes"));
  EXPECT_THAT(Post(port, std::string(1001, 'x')), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Post(port, "99999999999999999999", "Content-Length: 99999999999999999999\r\n"),
              StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Post(port, "x", "Content-Encoding: br\r\n"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Post(port, "x", "Content-Encoding: gzip\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST(HttpServerBodyTest, AllBodiesTogetherAreBounded) {
  HttpServer::Options options = TakesBodies();
  options.memory_bytes = 1500;  // and an address may have as much as a body
  Later later;
  const auto server = HttpServer::Start(options, later.handler());
  ASSERT_TRUE(server.ok());
  std::future<std::string> first = std::async(
      std::launch::async, [&] { return Post((*server)->port(), std::string(1000, 'x')); });
  const auto asked = later.Take();
  const std::string refused = Post((*server)->port(), std::string(1, 'x'));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("too much memory"));
  asked.second([] { return HttpResponse{.body = "done"}; });
  EXPECT_THAT(first.get(), EndsWith("done"));
}

TEST(HttpServerBodyTest, ResponsesMayComeLaterAndInAnyOrder) {
  for (const int threads : {1, 3}) {
    Later later;
    const auto server = HttpServer::Start(TakesBodies(threads), later.handler());
    ASSERT_TRUE(server.ok());
    std::vector<std::future<std::string>> answers;
    std::vector<std::pair<const HttpRequest*, HttpServer::Responder>> asked;
    for (int i = 0; i < 20; ++i) {
      answers.push_back(std::async(std::launch::async, [&server, i] {
        return Post((*server)->port(), absl::StrCat("body ", i));
      }));
      asked.push_back(later.Take());
    }
    // While these wait, nobody else does.
    for (auto one = asked.rbegin(); one != asked.rend(); ++one) {
      std::thread([one] {
        one->second([body = one->first->body] { return HttpResponse{.body = "to " + body}; });
      }).join();
    }
    for (int i = 0; i < 20; ++i) {
      EXPECT_THAT(answers[static_cast<std::size_t>(i)].get(),
                  EndsWith(absl::StrCat("to body ", i)));
    }
  }
}

TEST(HttpServerBodyTest, TheEndWaitsForResponses) {
  Later later;
  auto server = HttpServer::Start(TakesBodies(), later.handler());
  ASSERT_TRUE(server.ok());
  const int port = (*server)->port();
  std::future<std::string> answer = std::async(std::launch::async, [&] { return Post(port, "x"); });
  auto asked = later.Take();
  std::thread ends([&] { server->reset(); });
  asked.second([] { return HttpResponse{.body = "the last"}; });
  asked.second = nullptr;
  ends.join();
  EXPECT_THAT(answer.get(), EndsWith("the last"));
}

TEST(HttpServerBodyTest, AClientThatIsGoneHarmsNobody) {
  Later later;
  const auto server = HttpServer::Start(TakesBodies(), later.handler());
  ASSERT_TRUE(server.ok());
  for (int i = 0; i < 10; ++i) {
    auto connection = std::make_unique<HttpConnection>((*server)->port());
    connection->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    auto asked = later.Take();
    connection = nullptr;
    asked.second([] { return HttpResponse{.body = std::string(100'000, 'x')}; });
  }
  std::future<std::string> answer =
      std::async(std::launch::async, [&] { return Post((*server)->port(), "x"); });
  later.Take().second([] { return HttpResponse{.body = "fine"}; });
  EXPECT_THAT(answer.get(), EndsWith("fine"));
}

TEST(HttpServerBodyTest, ClientsThatDoNotReadGiveWay) {
  constexpr std::size_t kPage = std::size_t{20} << 20;  // more than the buffers of sockets
  HttpServer::Options options = TakesBodies();
  options.connections = 4;
  options.silence = absl::Minutes(10);
  options.memory_bytes = 0;
  const auto server = HttpServer::Start(options, RespondAtOnce([](const HttpRequest&) {
                                          return HttpResponse{.body = std::string(kPage, 'x')};
                                        }));
  ASSERT_TRUE(server.ok());
  std::vector<std::unique_ptr<HttpConnection>> greedy;
  for (int i = 0; i < 20; ++i) {
    greedy.push_back(std::make_unique<HttpConnection>((*server)->port()));
    greedy.back()->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_GE(Post((*server)->port(), "").size(), kPage);
}

TEST(HttpServerBodyTest, LongPagesAreCompressedForWhoAcceptsIt) {
  const auto server = HttpServer::Start(TakesBodies(), RespondAtOnce([](const HttpRequest&) {
                                          return HttpResponse{.body = std::string(5000, 'x')};
                                        }));
  ASSERT_TRUE(server.ok());
  const std::string plain = Post((*server)->port(), "");
  EXPECT_THAT(plain, EndsWith(std::string(5000, 'x')));
  const std::string compressed = Post((*server)->port(), "", "Accept-Encoding: gzip\r\n");
  EXPECT_THAT(compressed, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_LT(compressed.size(), 1000U);
}

}  // namespace
}  // namespace hellocnn::server
