#include "server/runtime/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "server/runtime/batcher.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/quiet_events.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

class WarmUpTest : public ::testing::Test {
 protected:
  absl::Status Run(int workers, int max_batch_size, const Notification* stop = nullptr) {
    WarmUp warm_up(workers, max_batch_size, stop);
    absl::StatusOr<std::unique_ptr<Batcher>> batcher = Batcher::Start(
        workers, {.max_batch_size = max_batch_size, .capacity = max_batch_size}, engines_.Factory(),
        &events_, {}, Clock::Monotonic(), [&](Engine& engine) { return warm_up.Run(engine); });
    if (!batcher.ok()) return batcher.status();
    return warm_up.Wait();
  }

  testing::FakeEngines engines_;
  testing::QuietEvents events_;
};

TEST_F(WarmUpTest, EveryWorkerRunsEveryBatchSize) {
  const int threads = 3;
  const int max_batch_size = 100;
  const absl::Status status = Run(threads, max_batch_size);
  ASSERT_TRUE(status.ok()) << status;
  std::vector<int> wanted;
  for (int worker = 0; worker < threads; ++worker) {
    for (int size = 1; size <= max_batch_size; ++size) wanted.push_back(size);
  }
  EXPECT_THAT(engines_.batch_sizes(), UnorderedElementsAreArray(wanted));
}

TEST_F(WarmUpTest, AnEngineThatFailsIsNamedWithTheBatchSize) {
  engines_.Fail(absl::InternalError("no memory"));
  const absl::Status status = Run(2, 4);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("warm-up with 1 images: no memory"));
}

TEST_F(WarmUpTest, StopsWhenItIsToldTo) {
  Notification stop;
  stop.Notify();
  const absl::Status status = Run(1, 1000, &stop);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stopped during warm-up"));
}

}  // namespace
}  // namespace hellocnn::server
