#include "server/rpc/transport/http2/tls_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tests/server/tls/authority.h"
#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TlsSocketTest : public ::testing::Test {
 protected:
  TlsSocketTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    client_ = ends[1];
    socket_ = MakeTlsSocket(
        ends[0], TlsContext::Make(WriteFiles(folder_, authority_, "shop.example")).value(),
        [this](const std::string& reason) { failure_ = reason; });
  }
  ~TlsSocketTest() override { close(client_); }

  // Does the handshake, both sides by turns, and sends a byte. Returns true if it arrives.
  bool Connect(const TestIdentity* identity) {
    const auto client = MakeTestClient(client_, identity, "h2");
    std::array<std::uint8_t, 16> buffer{};
    for (int i = 0; i < 100 && failure_.empty(); ++i) {
      if (SSL_connect(client.get()) == 1) SSL_write(client.get(), "x", 1);
      if (socket_->Receive(buffer, {}).bytes > 0) return true;
    }
    return false;
  }

  TemporaryDirectory folder_;
  TestAuthority authority_;
  int client_ = -1;
  std::unique_ptr<Socket> socket_;
  std::string failure_;
};

TEST_F(TlsSocketTest, TheNamesInTheCertificateAreKnown) {
  const TestIdentity client = authority_.Issue("DNS:Shop.example,URI:spiffe://example.org/till");
  EXPECT_TRUE(Connect(&client)) << failure_;
  EXPECT_THAT(socket_->certificate_names(),
              ElementsAre("DNS:shop.example", "URI:spiffe://example.org/till"));
  EXPECT_FALSE(socket_->principal().empty());
}

TEST_F(TlsSocketTest, WhoeverIsNotOnTheListDoesNotGetIn) {
  const TestIdentity client = authority_.Issue("DNS:other.example");
  EXPECT_FALSE(Connect(&client));
  EXPECT_THAT(failure_, HasSubstr("none of the names that may connect"));
}

TEST_F(TlsSocketTest, WithoutACertificateThereAreNoNames) {
  EXPECT_FALSE(Connect(nullptr));
  EXPECT_THAT(failure_, HasSubstr("did not return a certificate"));
  EXPECT_THAT(socket_->certificate_names(), IsEmpty());
}

}  // namespace
}  // namespace hellocnn::server
