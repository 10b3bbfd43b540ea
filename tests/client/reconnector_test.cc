// Tests what a client does while its server is away. This is not a unit test: it looks at real
// threads.
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
  // Two failures are enough for the thread that reconnects to start.
  ASSERT_TRUE(absl::IsUnavailable(client.Classify({Uniform(1)}).status()));
  const long before = Waits();
  absl::SleepFor(absl::Seconds(2));
  // When the thread checked every 20 ms, these two seconds took 467 waits. Now they take about 60,
  // most of them in gRPC.
  EXPECT_LT(Waits() - before, 250);
}

TEST(Reconnector, EndsAtOnceWithItsClient) {
  FakeServer server;
  server.Stop();
  for (int client = 0; client < 100; ++client) {
    // If each client waited for a second, any test timeout would notice.
    ASSERT_TRUE(absl::IsUnavailable(server.Connect().Classify({Uniform(1)}).status()));
  }
}

}  // namespace
}  // namespace hellocnn::client
