#include "loadgen/run/server_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

namespace hellocnn::load {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Starts a program that runs `script`.
absl::StatusOr<std::unique_ptr<ServerProcess>> RunScript(
    const std::string& script, absl::Duration patience = absl::Seconds(60)) {
  return ServerProcess::Start("/bin/sh", {"-c", script}, {.patience = patience});
}

std::string FailureOf(const absl::StatusOr<std::unique_ptr<ServerProcess>>& started) {
  EXPECT_EQ(started.status().code(), absl::StatusCode::kUnavailable);
  return std::string(started.status().message());
}

TEST(ServerProcessTest, HasTheAddressThatItSaid) {
  const auto server =
      RunScript("echo some-server ready grpc=127.0.0.1:123 metrics=off; exec sleep 60");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), "127.0.0.1:123");
  EXPECT_GT((*server)->ResidentBytes(), 0);
}

TEST(ServerProcessTest, AddressMayBeTheLastWord) {
  const auto server = RunScript("echo some-server ready grpc=127.0.0.1:123; exec sleep 60");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), "127.0.0.1:123");
}

TEST(ServerProcessTest, StopSaysHowItEnded) {
  const auto good =
      RunScript("trap 'exit 0' TERM; echo x ready grpc=a:1; while :; do sleep 0.01; done");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_TRUE((*good)->Stop().ok());
  EXPECT_TRUE((*good)->Stop().ok()) << "a second time";

  const auto bad =
      RunScript("trap 'exit 3' TERM; echo x ready grpc=a:1; while :; do sleep 0.01; done");
  ASSERT_TRUE(bad.ok()) << bad.status();
  EXPECT_EQ((*bad)->Stop(), absl::InternalError("the server at a:1 ended with exit status 3"));

  const auto plain = RunScript("echo x ready grpc=a:1; exec sleep 60");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ((*plain)->Stop(), absl::InternalError("the server at a:1 was ended by signal 15"));
}

TEST(ServerProcessTest, KilledOneIsGone) {
  const auto server =
      RunScript("trap '' TERM; echo x ready grpc=a:1; while :; do sleep 0.01; done");
  ASSERT_TRUE(server.ok()) << server.status();
  (*server)->Kill();
  EXPECT_EQ((*server)->CpuSeconds(), 0);
  (*server)->Signal(SIGTERM);
  EXPECT_TRUE((*server)->Stop().ok());
}

TEST(ServerProcessTest, SaysWhatCameInsteadOfReadiness) {
  EXPECT_THAT(FailureOf(ServerProcess::Start("/no/such/server", {"--listen=x"}, {})),
              AllOf(HasSubstr("/no/such/server --listen=x"), HasSubstr("cannot be run")));
  EXPECT_THAT(FailureOf(RunScript("exit 2")), HasSubstr("ended with exit status 2"));
  EXPECT_THAT(FailureOf(RunScript("kill -9 $$")), HasSubstr("was ended by signal 9"));
  EXPECT_THAT(FailureOf(RunScript("echo hello")), HasSubstr("said 'hello'"));
  EXPECT_THAT(FailureOf(RunScript("exec sleep 60", absl::Milliseconds(50))),
              HasSubstr("was not ready within 50ms"));
  EXPECT_THAT(FailureOf(ServerProcess::Start("/bin/true", {}, {.cpu = 1023})),
              HasSubstr("may not run on that CPU"));
}

TEST(ServerProcessTest, KeepsOurSettingsFromIt) {
  setenv("HELLOCNN_THREADS", "7", /*replace=*/1);
  setenv("OTHER_VARIABLE", "8", /*replace=*/1);
  EXPECT_THAT(FailureOf(RunScript("echo threads=$HELLOCNN_THREADS other=$OTHER_VARIABLE")),
              HasSubstr("said 'threads= other=8'"));
  unsetenv("HELLOCNN_THREADS");
  unsetenv("OTHER_VARIABLE");
}

}  // namespace
}  // namespace hellocnn::load
