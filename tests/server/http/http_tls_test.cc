#include "server/http/http_tls.h"

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/mutex.h"
#include "server/http/http_server.h"
#include "tests/server/rpc/transport/http2/server_bed.h"
#include "tests/server/tls/authority.h"
#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpTlsTest : public ::testing::Test {
 protected:
  // Returns the response to a request of a client with this certificate, or "" if there is none.
  std::string Get(const TestIdentity* identity) {
    const int socket = ConnectTo(server_->port());
    std::string response;
    {
      const auto client = MakeTestClient(socket, identity, "http/1.1");
      const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
      if (SSL_connect(client.get()) == 1 &&
          SSL_write(client.get(), request.data(), static_cast<int>(request.size())) > 0) {
        char buffer[4096];
        for (int n; (n = SSL_read(client.get(), buffer, sizeof buffer)) > 0;) {
          response.append(buffer, static_cast<std::size_t>(n));
        }
      }
    }
    close(socket);
    return response;
  }
  // Returns why the next connection that was rejected was so.
  std::string WaitForRejection() {
    rejected_.WaitUntil(Clock::Monotonic()->Now() + absl::Seconds(60));
    MutexLock lock(&mutex_);
    return reason_;
  }

  TemporaryDirectory folder_;
  TestAuthority authority_;
  Notification rejected_;
  Mutex mutex_;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<TlsCredentials> credentials_ =
      TlsCredentials::Load(WriteFiles(folder_, authority_, "shop.example"),
                           [](const absl::Status&) {})
          .value();
  std::unique_ptr<HttpServer> server_ =
      HttpServer::Start({.address = "127.0.0.1:0",
                         .tls = credentials_.get(),
                         .on_tls_failure =
                             [this](const std::string& peer, const std::string& reason) {
                               {
                                 MutexLock lock(&mutex_);
                                 reason_ = peer + ": " + reason;
                               }
                               rejected_.Notify();
                             },
                         .error = nullptr},
                        RespondAtOnce([](const HttpRequest& request) -> HttpResponse {
                          return {.body = absl::StrJoin(request.certificate_names, ",") +
                                          (request.principal.empty() ? " nobody" : " somebody")};
                        }))
          .value();
};

TEST_F(HttpTlsTest, ARequestHasTheNamesInTheCertificate) {
  const TestIdentity client = authority_.Issue("DNS:Shop.example,IP:10.0.0.1");
  EXPECT_THAT(Get(&client), AllOf(StartsWith("HTTP/1.1 200"),
                                  EndsWith("\r\n\r\nDNS:shop.example,IP:10.0.0.1 somebody")));
}

TEST_F(HttpTlsTest, WhoeverIsNotOnTheListReachesNoHandler) {
  const TestIdentity client = authority_.Issue("DNS:other.example");
  EXPECT_EQ(Get(&client), "");
  EXPECT_EQ(WaitForRejection(),
            "127.0.0.1: the certificate has none of the names that may connect");
}

TEST_F(HttpTlsTest, WhoeverHasNoCertificateReachesNoHandler) {
  EXPECT_EQ(Get(nullptr), "");
  EXPECT_EQ(WaitForRejection(), "127.0.0.1: peer did not return a certificate");
}

}  // namespace
}  // namespace hellocnn::server
