// Tests that calls carry a token, that it can be replaced, and to whom it is not sent.
#include "client/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "hellocnn/client/batching_client.h"
#include "hellocnn/client/client.h"
#include "tests/client/fake_server.h"
#include "tests/testing/certificate.h"
#include "tests/testing/files.h"

namespace hellocnn::client {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using Seen = std::map<std::string, std::set<std::string>>;

constexpr char kService[] = "/hellocnn.v1.ClassifierService/";
constexpr char kControl[] = "/hellocnn.v1.ModelControlService/";
constexpr char kHealth[] = "/grpc.health.v1.Health/";

std::string HeaderAt(TokenSource& token, absl::Duration since_start) {
  return *token.Header(Instant() + since_start);
}

std::shared_ptr<TokenSource> OpenFile(const std::string& path) {
  return TokenSource::Open({.token = TokenOptions{.file = path}}, Instant()).value();
}

// Makes each kind of call once.
void CallEverything(const ClientOptions& options) {
  const Client client = Client::Create(options).value();
  EXPECT_TRUE(client.Classify({Uniform(1)}).ok());
  EXPECT_TRUE(client.ClassifyFuture({Uniform(1)}).get().ok());
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_TRUE(client.ListModels().ok());
  EXPECT_EQ(client.CheckHealth().value(), HealthStatus::kServing);
  ClassifyStream stream = client.OpenStream().value();
  EXPECT_TRUE(stream.Send(1, {Uniform(1)}).ok());
  EXPECT_TRUE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
  BatchingClient batching = BatchingClient::Create(client, {}).value();
  EXPECT_TRUE(batching.Classify(Uniform(1), absl::Seconds(5)).ok());
}

const Seen kEverything = {{std::string(kService) + "Classify", {"Bearer s3cret"}},
                          {std::string(kService) + "ClassifyStream", {"Bearer s3cret"}},
                          {std::string(kService) + "GetModel", {"Bearer s3cret"}},
                          {std::string(kService) + "ListModels", {"Bearer s3cret"}},
                          {std::string(kHealth) + "Check", {"Bearer s3cret"}}};

TEST(Token, EveryCallCarriesIt) {
  FakeServer server;
  CallEverything({.target = server.target(), .token = TokenOptions{.value = "s3cret"}});
  EXPECT_EQ(server.authorizations(), kEverything);
}

TEST(Token, EveryCallCarriesItOverTlsToo) {
  const Certificate certificate = MakeCertificate();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs = {{certificate.key, certificate.certificate}};
  FakeServer server(grpc::SslServerCredentials(tls));
  const ClientOptions options = {.target = server.target(),
                                 .tls = TlsOptions{.ca_certificates = certificate.certificate},
                                 .token = TokenOptions{.value = "s3cret"}};
  CallEverything(options);
  EXPECT_EQ(server.authorizations(), kEverything);

  // The calls by which gRPC itself follows the health of the addresses.
  ClientOptions round_robin = options;
  round_robin.round_robin = true;
  CallEverything(round_robin);
  Seen with_watch = kEverything;
  with_watch[std::string(kHealth) + "Watch"] = {"Bearer s3cret"};
  EXPECT_EQ(server.authorizations(), with_watch);
}

TEST(Token, CallsWithoutOneCarryNone) {
  FakeServer server;
  EXPECT_TRUE(server.Connect().Classify({Uniform(1)}).ok());
  EXPECT_EQ(server.authorizations(), (Seen{{std::string(kService) + "Classify", {""}}}));
}

TEST(Token, EveryConnectionAndEveryHedgeCarriesIt) {
  std::atomic<int> calls = 0;
  Notification hedged;
  FakeServer server;
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    if (++calls == 1) {
      hedged.Wait();
    } else {
      hedged.Notify();
    }
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client = Client::Create({.target = server.target(),
                                        .default_timeout = absl::Minutes(1),
                                        .connections = 2,
                                        .hedge = HedgeOptions{.after = absl::Milliseconds(1)},
                                        .token = TokenOptions{.value = "s3cret"}})
                            .value();
  EXPECT_TRUE(client.Classify({Uniform(1)}).ok());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(server.authorizations(),
            (Seen{{std::string(kService) + "Classify", {"Bearer s3cret"}}}));
}

TEST(Token, ControlCallsCarryIt) {
  FakeServer server;
  const Client client =
      Client::Create({.target = server.target(), .token = TokenOptions{.value = "s3cret"}}).value();
  // The server knows none of these, and they arrive all the same.
  EXPECT_EQ(client.RollBack().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(client.UndoRollback().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(client.PollModels().code(), absl::StatusCode::kUnimplemented);
  for (const char* method : {"RollBack", "UndoRollback", "PollModels"}) {
    const std::string path = std::string(kControl) + method;
    EXPECT_THAT(server.authorizations(),
                Contains(std::pair(path, std::set<std::string>{"Bearer s3cret"})));
  }
}

TEST(Token, RejectionsReachTheCallerAndAreNotRetried) {
  for (const auto code : {grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::PERMISSION_DENIED}) {
    std::atomic<int> calls = 0;
    FakeServer server;
    server.classify = [&calls, code](grpc::ServerContext&, const v1::ClassifyRequest&,
                                     v1::ClassifyResponse&) {
      ++calls;
      return grpc::Status(code, "who are you?");
    };
    const Client client = Client::Create({.target = server.target(),
                                          .connections = 2,
                                          .retry = RetryOptions(),
                                          .hedge = HedgeOptions{.after = absl::Minutes(1)}})
                              .value();
    const absl::Status status = client.Classify({Uniform(1)}).status();
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code));
    EXPECT_THAT(std::string(status.message()), HasSubstr("who are you?"));
    EXPECT_EQ(calls, 1);
    if (code == grpc::StatusCode::UNAUTHENTICATED) {
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr(server.target()), HasSubstr("--token-file")));
    }
  }
  for (const auto code :
       {absl::StatusCode::kUnauthenticated, absl::StatusCode::kPermissionDenied}) {
    const absl::Status status = Client::Create({.retry = RetryOptions{.codes = {code}}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("retry.codes"));
  }
}

TEST(Token, IsReadAgainOnceASecond) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("token", "first\n");
  const auto token = OpenFile(path);
  folder.Write("token", "second\r\n");
  EXPECT_EQ(HeaderAt(*token, absl::ZeroDuration()), "Bearer first");
  EXPECT_EQ(HeaderAt(*token, absl::Milliseconds(999)), "Bearer first");
  EXPECT_EQ(HeaderAt(*token, absl::Seconds(1)), "Bearer second");
  folder.Write("token", "third");
  EXPECT_EQ(HeaderAt(*token, absl::Milliseconds(1999)), "Bearer second");
  EXPECT_EQ(HeaderAt(*token, absl::Milliseconds(2000)), "Bearer third");
}

TEST(Token, TheFormerOneStaysWhileTheFileIsBad) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("token", "first");
  const auto token = OpenFile(path);
  int second = 0;
  for (const std::string& bad : {std::string(), std::string("two\nlines\n"), std::string("a b")}) {
    folder.Write("token", bad);
    EXPECT_EQ(HeaderAt(*token, absl::Seconds(++second)), "Bearer first") << bad;
  }
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(HeaderAt(*token, absl::Seconds(++second)), "Bearer first");
  folder.Write("token", "second");
  EXPECT_EQ(HeaderAt(*token, absl::Seconds(++second)), "Bearer second");
}

TEST(Token, IsReadAgainWhileAClientIsUsed) {
  const TemporaryDirectory folder;
  FakeServer server;
  const std::string path = folder.Write("token", "first");
  const Client client =
      Client::Create({.target = server.target(), .token = TokenOptions{.file = path}}).value();
  EXPECT_TRUE(client.Classify({Uniform(1)}).ok());
  folder.Write("token", "second");
  const std::string method = std::string(kService) + "Classify";
  while (server.authorizations()[method].count("Bearer second") == 0) {
    ASSERT_TRUE(client.Classify({Uniform(1)}).ok());
  }
  EXPECT_EQ(server.authorizations()[method],
            (std::set<std::string>{"Bearer first", "Bearer second"}));
}

TEST(Token, BadFilesAreRefusedByName) {
  const TemporaryDirectory folder;
  const std::vector<std::pair<std::string, std::string>> bad = {
      {folder.Write("empty", ""), "is empty"},
      {folder.Write("line", "\n"), "is empty"},
      {folder.Write("large", std::string(kLongestToken + 1, 's')), "too long"},
      {folder.Write("huge", std::string(1 << 20, 's')), "too long"},
      {folder.Write("spaces", "s3cret of mine"), "byte 7"},
      {folder.Write("lines", "s3cret\nof mine"), "byte 7"},
      {folder.Write("utf8", "s3cret\xc3\xa9"), "byte 7"},
      {folder.Write("zero", std::string("s3cret\0", 7)), "byte 7"},
      {folder.path(), "not a regular file"},
      {folder.path() + "/missing", "No such file"}};
  for (const auto& [path, why] : bad) {
    const absl::Status status = Client::Create({.token = TokenOptions{.file = path}}).status();
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr(why)));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("s3cret")));
  }
  const std::string longest = folder.Write("longest", std::string(kLongestToken, 's') + "\r\n");
  EXPECT_EQ(ReadToken(longest).value(), std::string(kLongestToken, 's'));
}

TEST(Token, NeedsAFileOrAValue) {
  for (const TokenOptions& bad : {TokenOptions{}, TokenOptions{.file = "/f", .value = "s3cret"},
                                  TokenOptions{.value = "s3cret "}}) {
    const absl::Status status = Client::Create({.token = bad}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("token"), Not(HasSubstr("s3cret"))));
  }
}

TEST(Token, IsNotSentUnencryptedToOtherMachines) {
  for (const char* target : {"infer.example:8500", "10.0.0.1:8500", "dns:///infer.example:8500",
                             "[fd00::1]:8500", "ipv4:127.0.0.1:8500,10.0.0.1:8500"}) {
    ClientOptions options = {.target = target, .token = TokenOptions{.value = "s3cret"}};
    const absl::Status status = Client::Create(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << target;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--tls"), Not(HasSubstr("s3cret"))));
    options.token->allow_plaintext = true;
    EXPECT_TRUE(Client::Create(options).ok()) << target;
    options.token->allow_plaintext = false;
    options.tls.emplace();
    EXPECT_TRUE(Client::Create(options).ok()) << target;
  }
  for (const char* target : {"localhost:8500", "127.0.0.2:8500", "[::1]:8500", "unix:/run/h.sock",
                             "unix-abstract:h", "ipv4:127.0.0.1:8500,127.0.0.2:8500"}) {
    EXPECT_TRUE(Client::Create({.target = target, .token = TokenOptions{.value = "t"}}).ok());
  }
}

TEST(Token, FilesThatOthersMayReadAreRecognised) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("token", "t");
  for (const auto& [mode, readable] :
       {std::pair{0600U, false}, {0400U, false}, {0640U, true}, {0604U, true}, {0620U, false}}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_EQ(OthersMayRead(path), readable) << std::oct << mode;
  }
  EXPECT_FALSE(OthersMayRead(folder.path() + "/missing"));
}

}  // namespace
}  // namespace hellocnn::client
