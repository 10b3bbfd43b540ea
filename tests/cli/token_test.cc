// Tests how the command line gets a token, to whom it shows it, and how it makes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "hellocnn/formats/checksum.h"
#include "tests/cli/cli_fixture.h"
#include "tests/testing/certificate.h"

namespace hellocnn::cli {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

class TokenTest : public CliTest {
 protected:
  TokenTest() {
    // What the caller of the tests has set is not tested.
    unsetenv("HELLOCNN_TOKEN");
    unsetenv("HELLOCNN_TOKEN_FILE");
  }
  ~TokenTest() override {
    unsetenv("HELLOCNN_TOKEN");
    unsetenv("HELLOCNN_TOKEN_FILE");
  }

  std::string WriteToken(const std::string& token, mode_t mode = 0600) {
    std::string path = folder_.Write("token", token + "\n");
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  // Returns all tokens that the server has got.
  std::set<std::string> Sent() const {
    std::set<std::string> all;
    for (const auto& [method, tokens] : server_.authorizations()) {
      all.insert(tokens.begin(), tokens.end());
    }
    return all;
  }
};

TEST_F(TokenTest, EveryCommandSendsIt) {
  const std::string token = WriteToken("s3cret");
  WriteTestSet({0, 1});
  const std::vector<std::vector<std::string>> commands = {
      {"classify", WriteDigit(3)},
      {"evaluate", "--data", folder_.path()},
      {"describe"},
      {"models"},
      {"model", "list"},
      {"models", "rollback"},
      {"model", "rollback", "--undo"},
      {"health"},
      {"load", "--requests", "20", "--connections", "2"},
      {"load", "--requests", "20", "--mode", "stream"},
      {"load", "--rate", "200", "--requests", "20", "--round-robin"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.begin(), {"--token-file", token});
    const Outcome outcome = Run(command);
    EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("s3cret"))) << command[2];
    EXPECT_THAT(outcome.err, Not(HasSubstr("warning"))) << command[2];
  }
  auto sent = server_.authorizations();
  // With round_robin, gRPC itself watches the health, and sends no token without TLS.
  sent.erase("/grpc.health.v1.Health/Watch");
  EXPECT_THAT(sent, SizeIs(7));
  EXPECT_THAT(sent, Each(Pair(::testing::_, std::set<std::string>{"Bearer s3cret"})));
}

TEST_F(TokenTest, IsSentOverTlsToo) {
  const Certificate certificate = MakeCertificate();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs = {{certificate.key, certificate.certificate}};
  client::FakeServer server(grpc::SslServerCredentials(tls));
  const std::string authority = folder_.Write("ca.pem", certificate.certificate);
  for (std::vector<std::string> command :
       {std::vector<std::string>{"health"},
        {"load", "--requests", "20", "--connections", "2", "--round-robin"},
        {"load", "--requests", "20", "--mode", "stream"}}) {
    command.insert(command.end(), {"--server", server.target(), "--tls-ca", authority,
                                   "--token-file", WriteToken("s3cret")});
    const Outcome outcome = RunAlone(command);
    EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  }
  EXPECT_THAT(server.authorizations(), SizeIs(5));  // with the watch of round_robin
  EXPECT_THAT(server.authorizations(),
              Each(Pair(::testing::_, std::set<std::string>{"Bearer s3cret"})));
}

TEST_F(TokenTest, EnvironmentMayHaveItOrItsFile) {
  const std::string file = WriteToken("from-file");
  setenv("HELLOCNN_TOKEN", "from-variable", 1);
  EXPECT_EQ(Run({"health"}).code, kExitOk);
  EXPECT_EQ(Sent(), (std::set<std::string>{"Bearer from-variable"}));
  EXPECT_EQ(getenv("HELLOCNN_TOKEN"), nullptr);  // children do not get it

  setenv("HELLOCNN_TOKEN_FILE", file.c_str(), 1);
  EXPECT_EQ(Run({"models"}).code, kExitOk);
  EXPECT_EQ(Sent(), (std::set<std::string>{"Bearer from-file", "Bearer from-variable"}));

  setenv("HELLOCNN_TOKEN", "from-variable", 1);
  const Outcome both = Run({"describe"});
  EXPECT_EQ(both.code, kExitUsage);
  EXPECT_THAT(both.err, HasSubstr("HELLOCNN_TOKEN and HELLOCNN_TOKEN_FILE are both set"));
  EXPECT_THAT(both.err, Not(HasSubstr("from-variable")));

  setenv("HELLOCNN_TOKEN", "s3cret words", 1);
  unsetenv("HELLOCNN_TOKEN_FILE");
  const Outcome bad = Run({"describe"});
  EXPECT_EQ(bad.code, kExitFailed);
  EXPECT_THAT(bad.err,
              AllOf(HasSubstr("HELLOCNN_TOKEN: is not a token"), Not(HasSubstr("s3cret"))));

  // They may be set for other commands.
  setenv("HELLOCNN_TOKEN", "from-variable", 1);
  EXPECT_EQ(Run({"--help"}).code, kExitOk);
}

TEST_F(TokenTest, FlagIsNearerThanTheEnvironment) {
  setenv("HELLOCNN_TOKEN", "from-variable", 1);
  EXPECT_EQ(Run({"--token-file", WriteToken("from-flag"), "health"}).code, kExitOk);
  EXPECT_EQ(Sent(), (std::set<std::string>{"Bearer from-flag"}));
}

TEST_F(TokenTest, EmptyVariablesCountAsNotSet) {
  setenv("HELLOCNN_TOKEN", "", 1);
  setenv("HELLOCNN_TOKEN_FILE", "", 1);
  EXPECT_EQ(Run({"health"}).code, kExitOk);
  EXPECT_EQ(Sent(), (std::set<std::string>{""}));
}

TEST_F(TokenTest, RejectionsSayWhatToDo) {
  server_.get_model = [](auto& context, const auto&, auto&) {
    return context.client_metadata().count("authorization") > 0
               ? grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "bob may not describe models")
               : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "there is no token");
  };
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"describe"}, {"load", "--requests", "4"}}) {
    const Outcome without = Run(command);
    EXPECT_EQ(without.code, kExitFailed);
    EXPECT_THAT(without.err, AllOf(HasSubstr("wants a token"), HasSubstr("there is no token"),
                                   HasSubstr("--token-file"), HasSubstr("[UNAUTHENTICATED]")));
    std::vector<std::string> with = command;
    with.insert(with.end(), {"--token-file", WriteToken("s3cret")});
    const Outcome denied = Run(with);
    EXPECT_EQ(denied.code, kExitFailed);
    EXPECT_THAT(denied.err, AllOf(HasSubstr("bob may not describe models"),
                                  HasSubstr("[PERMISSION_DENIED]"), Not(HasSubstr("s3cret"))));
  }
}

TEST_F(TokenTest, ReportsDoNotHaveIt) {
  const std::string token = WriteToken("s3cret");
  const std::string page = folder_.path() + "/report.html";
  for (const std::string format : {"text", "json", "csv", "hgrm"}) {
    const Outcome outcome = Run(
        {"load", "--requests", "20", "--output", format, "--html", page, "--token-file", token});
    EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
    EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("s3cret")));
    EXPECT_THAT(ReadFile(page), AllOf(HasSubstr("<html"), Not(HasSubstr("s3cret"))));
  }
  EXPECT_EQ(Sent(), (std::set<std::string>{"Bearer s3cret"}));
}

TEST_F(TokenTest, IsNotDumped) {
  ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
  EXPECT_EQ(Run({"health"}).code, kExitOk);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
  EXPECT_EQ(Run({"health", "--token-file", WriteToken("s3cret")}).code, kExitOk);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

TEST_F(TokenTest, BadFilesAreNamed) {
  const std::string missing = folder_.path() + "/missing";
  const Outcome none = Run({"health", "--token-file", missing});
  EXPECT_EQ(none.code, kExitFailed);
  EXPECT_THAT(none.err, AllOf(HasSubstr(missing), HasSubstr("[NOT_FOUND]")));
  const Outcome spaces = Run({"health", "--token-file", WriteToken("s3cret words")});
  EXPECT_EQ(spaces.code, kExitFailed);
  EXPECT_THAT(spaces.err, AllOf(HasSubstr("is not a token"), Not(HasSubstr("s3cret"))));
  const Outcome empty = Run({"health", "--token-file", ""});
  EXPECT_EQ(empty.code, kExitUsage);
  EXPECT_THAT(empty.err, HasSubstr("--token-file"));
  EXPECT_THAT(server_.authorizations(), IsEmpty());
}

TEST_F(TokenTest, FilesThatOthersMayReadAreWarnedOf) {
  const Outcome outcome = Run({"health", "--token-file", WriteToken("s3cret", 0644)});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("/token: other users may read"), HasSubstr("chmod 600"),
                                 Not(HasSubstr("s3cret"))));
}

TEST_F(TokenTest, IsNotSentUnencryptedToOtherMachines) {
  const std::string token = WriteToken("s3cret");
  const Outcome refused = RunAlone({"health", "--server", "192.0.2.1:8500", "--token-file", token});
  EXPECT_EQ(refused.code, kExitFailed);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("without encryption"), HasSubstr("--tls"),
                                 HasSubstr("--allow-plaintext-token")));
  // Nobody has this address, and nothing is sent there: the call only gets that far.
  const Outcome allowed = RunAlone({"health", "--server", "192.0.2.1:8500", "--token-file", token,
                                    "--allow-plaintext-token", "--timeout", "10ms"});
  EXPECT_EQ(allowed.code, kExitFailed);
  EXPECT_THAT(allowed.err, Not(HasSubstr("without encryption")));
}

TEST_F(TokenTest, NewOnesAreRandomAndPrivate) {
  std::set<std::string> tokens;
  for (int i = 0; i < 3; ++i) {
    const std::string path = folder_.path() + "/token" + std::to_string(i);
    const Outcome made = RunAlone({"token", "new", "--output", path});
    EXPECT_EQ(made.code, kExitOk) << made.err;
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
    const std::string token = ReadFile(path);
    EXPECT_THAT(token, MatchesRegex("[A-Za-z0-9_-]+\n"));
    EXPECT_EQ(token.size(), 44U);  // 256 bits, 6 in each character
    EXPECT_TRUE(tokens.insert(token).second);
    const std::string bare = folder_.Write("bare", token.substr(0, 43));
    const std::string sha256 = Sha256OfFile(bare).value();
    EXPECT_EQ(made.out, "\"token_sha256\": \"" + sha256 + "\"\n");

    const Outcome hashed = RunAlone({"token", "hash", "--token-file", path});
    EXPECT_EQ(hashed.code, kExitOk) << hashed.err;
    EXPECT_EQ(hashed.out, sha256 + "\n");
    EXPECT_EQ(Run({"health", "--token-file", path}).code, kExitOk);
  }
}

TEST_F(TokenTest, NewOnesReplaceNothing) {
  const std::string path = WriteToken("old", 0400);
  const Outcome refused = RunAlone({"token", "new", "--output", path});
  EXPECT_EQ(refused.code, kExitFailed);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, AllOf(HasSubstr(path), HasSubstr("[ALREADY_EXISTS]")));
  EXPECT_EQ(ReadFile(path), "old\n");
  EXPECT_EQ(RunAlone({"token", "new", "--output", folder_.path() + "/no/token"}).code, kExitFailed);
}

TEST_F(TokenTest, HashWantsAToken) {
  const Outcome none = RunAlone({"token", "hash"});
  EXPECT_EQ(none.code, kExitUsage);
  EXPECT_THAT(none.err, HasSubstr("--token-file"));
  const Outcome bad = RunAlone({"token", "hash", "--token-file", WriteToken("two words")});
  EXPECT_EQ(bad.code, kExitFailed);
  setenv("HELLOCNN_TOKEN", "abc", 1);
  const Outcome hashed = RunAlone({"token", "hash"});
  EXPECT_EQ(hashed.out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
}

}  // namespace
}  // namespace hellocnn::cli
