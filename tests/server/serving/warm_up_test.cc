#include "server/serving/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_engine.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

class WarmUpTest : public ::testing::Test {
 protected:
  absl::Status Run(int workers, int max_batch_size, StopCheck stop = nullptr) {
    WarmUp warm_up(workers, max_batch_size, &clock_, std::move(stop));
    std::vector<std::unique_ptr<Engine>> engines;
    for (int worker = 0; worker < workers; ++worker) {
      engines.push_back(engines_.Factory()().value());
    }
    // In turns, as workers do it at the same time.
    for (bool more = true; more;) {
      more = false;
      for (int worker = 0; worker < workers; ++worker) {
        std::unique_ptr<Engine>& engine = engines[static_cast<std::size_t>(worker)];
        if (engine == nullptr) continue;
        if (warm_up.Step(worker, *engine)) {
          more = true;
        } else {
          engine = nullptr;
        }
      }
    }
    return warm_up.status();
  }

  testing::FakeClock clock_;
  testing::FakeEngines engines_;
};

TEST_F(WarmUpTest, EveryWorkerRunsEveryBatchSize) {
  const int workers = 3;
  const int max_batch_size = 100;
  const absl::Status status = Run(workers, max_batch_size);
  ASSERT_TRUE(status.ok()) << status;
  std::vector<int> wanted;
  for (int worker = 0; worker < workers; ++worker) {
    for (int size = 1; size <= max_batch_size; ++size) wanted.push_back(size);
  }
  EXPECT_THAT(engines_.batch_sizes(), UnorderedElementsAreArray(wanted));
}

TEST_F(WarmUpTest, EngineThatFailsIsNamedWithTheBatchSize) {
  engines_.Fail(absl::InternalError("no memory"));
  const absl::Status status = Run(2, 4);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("warm-up with 1 images: no memory"));
}

TEST_F(WarmUpTest, StopsBetweenTwoBatchesWhenItIsToldTo) {
  int asked = 0;
  const absl::Status status = Run(1, 1000, [&] { return ++asked > 3; });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stopped during warm-up"));
  EXPECT_EQ(engines_.calls(), 3);
}

}  // namespace
}  // namespace hellocnn::server
