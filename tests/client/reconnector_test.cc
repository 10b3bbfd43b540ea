// What a client does while its server is away. Not a unit test: it looks at real threads.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

long Waits() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

TEST(Reconnector, LeavesTheCpuAloneWhileTheServerIsAway) {
  FakeServer server;
  const Client client = server.Connect();
  ASSERT_TRUE(client.Classify({Uniform(1)}).ok());
  server.Stop();
  ASSERT_TRUE(absl::IsUnavailable(client.Classify({Uniform(1)}).status()));
  // Often enough for the thread that mends the connection to start.
  ASSERT_TRUE(absl::IsUnavailable(client.Classify({Uniform(1)}).status()));
  const long before = Waits();
  absl::SleepFor(absl::Seconds(2));
  // Looking every 20 ms took 467 waits in these two seconds; now they are about 60, most of gRPC's.
  EXPECT_LT(Waits() - before, 250);
}

TEST(Reconnector, EndsAtOnceWithItsClient) {
  FakeServer server;
  server.Stop();
  for (int client = 0; client < 100; ++client) {
    // With a wait of a second for each of them this would be noticed by any test timeout.
    ASSERT_TRUE(absl::IsUnavailable(server.Connect().Classify({Uniform(1)}).status()));
  }
}

}  // namespace
}  // namespace hellocnn::client
