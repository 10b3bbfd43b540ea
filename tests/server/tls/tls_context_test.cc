#include "server/tls/tls_context.h"

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/server/tls/authority.h"
#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kNames[] = "DNS:shop.example,URI:spiffe://example.org/till";

class TlsContextTest : public ::testing::Test {
 protected:
  std::shared_ptr<const TlsContext> Make(const std::string& client_names = "off") {
    return TlsContext::Make(WriteFiles(folder_, authority_, client_names)).value();
  }
  // The verdict on a client with this certificate.
  TlsContext::Verdict Verify(const TestIdentity& client, const std::string& client_names = "off") {
    const std::string der = client.Der();
    const std::vector<std::string_view> chain = {der};
    return Make(client_names)->Verify(chain);
  }

  TemporaryDirectory folder_;
  TestAuthority authority_;
};

TEST_F(TlsContextTest, AGoodClientHasItsNamesAndIsSomebody) {
  const TlsContext::Verdict verdict = Verify(authority_.Issue(kNames), "shop.example");
  EXPECT_EQ(verdict.rejection, "");
  EXPECT_THAT(verdict.names, ElementsAre("DNS:shop.example", "URI:spiffe://example.org/till"));
  EXPECT_FALSE(verdict.principal.empty());
  // A renewed certificate is the same one's, and one with other names is not.
  EXPECT_EQ(Verify(authority_.Issue(kNames)).principal, verdict.principal);
  EXPECT_NE(Verify(authority_.Issue("DNS:other.example")).principal, verdict.principal);
}

TEST_F(TlsContextTest, ABadClientIsRejectedWithAReasonAndAnAlert) {
  const TestAuthority stranger;  // with the same name
  const struct {
    TestIdentity client;
    std::string says;
    int alert;
  } cases[] = {
      {stranger.Issue(kNames), "certificate verify failed", SSL_AD_BAD_CERTIFICATE},
      {TestAuthority("stranger").Issue(kNames), "unable to get local issuer", SSL_AD_UNKNOWN_CA},
      {authority_.Issue(kNames, -3600, -60), "has expired", SSL_AD_CERTIFICATE_EXPIRED},
      {authority_.Issue(kNames, 60, 3600), "not yet valid", SSL_AD_BAD_CERTIFICATE},
      {authority_.Issue("DNS:other.example"), "none of the names", SSL_AD_BAD_CERTIFICATE},
      {authority_.Issue(""), "none of the names", SSL_AD_BAD_CERTIFICATE},
  };
  for (const auto& [client, says, alert] : cases) {
    const TlsContext::Verdict verdict = Verify(client, "shop.example");
    EXPECT_THAT(verdict.rejection, HasSubstr(says));
    EXPECT_EQ(verdict.alert, alert) << verdict.rejection;
    EXPECT_TRUE(verdict.names.empty());
  }
}

TEST_F(TlsContextTest, WithoutACertificateOrWithGarbageNobodyGetsIn) {
  EXPECT_THAT(Make()->Verify({}).rejection, HasSubstr("did not return a certificate"));
  const std::vector<std::string_view> garbage = {"garbage"};
  EXPECT_THAT(Make()->Verify(garbage).rejection, HasSubstr("cannot be read"));
}

TEST_F(TlsContextTest, TheTextForOtherLibrariesIsWhatWasRead) {
  const std::shared_ptr<const TlsContext> context = Make();
  EXPECT_EQ(context->certificate(), ReadFile(folder_.path() + "/server.pem"));
  EXPECT_THAT(context->key(), HasSubstr("BEGIN PRIVATE KEY"));
  EXPECT_EQ(context->client_ca(), PemOf(authority_.own()));
}

}  // namespace
}  // namespace hellocnn::server
