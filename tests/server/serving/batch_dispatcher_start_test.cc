// Tests how a dispatcher starts and stops.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/serving/batch_dispatcher.h"
#include "tests/server/scheduling/call.h"
#include "tests/server/serving/batch_dispatcher_fixture.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

TEST_F(BatchDispatcherTest, EachWorkerGetsItsOwnEngineAndNoneStartsIfOneFails) {
  Start(3, {});
  EXPECT_EQ(engines_.made(), 3);
  engines_.FailToMake(absl::NotFoundError("no weights"));
  testing::QuietEvents others;
  EXPECT_EQ(testing::ServedModel::Start(2, {}, engines_.Factory(), &others, {}).status(),
            absl::NotFoundError("no weights"));
  EXPECT_FALSE(events_.closed());
}

// As a gRPC server's that has not begun to shut down.
class EndlessEvents : public testing::QuietEvents {
 public:
  void Close() override {}
};

TEST_F(BatchDispatcherTest, ThreadThatCannotStartIsAnErrorAndEndsThoseThatDid) {
#ifdef HELLOCNN_SANITIZED
  GTEST_SKIP() << "sanitizers need more address space than any limit leaves";
#endif
  // In a process of its own, which has room for the stacks of a few threads.
  const auto start = [this] {
    std::ifstream statm("/proc/self/statm");
    std::int64_t pages = 0;
    statm >> pages;
    const auto bytes = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + (256 << 20));
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::exit(2);
    EndlessEvents events;
    const absl::Status status =
        testing::ServedModel::Start(100'000, {}, engines_.Factory(), &events, {}).status();
    std::fputs(std::string(status.message()).c_str(), stderr);
    std::exit(absl::IsResourceExhausted(status) ? 0 : 1);
  };
  EXPECT_EXIT(start(), ::testing::ExitedWithCode(0), "of 100000 does not start");
}

TEST_F(BatchDispatcherTest, OptionOutOfRangeIsRejectedByName) {
  const auto message = [this](int threads, const BatchQueue::Options& options) {
    return std::string(
        testing::ServedModel::Start(threads, options, engines_.Factory(), &events_, {})
            .status()
            .message());
  };
  EXPECT_THAT(message(0, {}), HasSubstr("threads is 0"));
  EXPECT_THAT(message(1, {.max_batch_size = 0}), HasSubstr("max_batch_size is 0"));
}

TEST_F(BatchDispatcherTest, DrainFinishesWhatWasAcceptedAndIgnoresTheDelay) {
  Start(1, {.max_batch_size = 8, .capacity = 64, .max_delay = absl::Hours(1)});
  Call waiting({1});
  ASSERT_TRUE(model_->Submit(waiting.job()).ok());
  model_->Drain();
  EXPECT_TRUE(waiting.done());
  EXPECT_EQ(waiting.Wait(), "OK");
  Call late({2});
  EXPECT_EQ(model_->Submit(late.job()).code(), absl::StatusCode::kUnavailable);
  model_->Drain();
}

TEST_F(BatchDispatcherTest, DrainUnderLoadFinishesExactlyWhatWasAccepted) {
  Start(2, {.max_batch_size = 4, .capacity = 1'000'000});
  constexpr int kCallers = 4;
  std::latch under_way(kCallers);
  std::vector<std::vector<std::unique_ptr<Call>>> accepted(kCallers);
  std::vector<std::thread> callers;
  for (auto& mine : accepted) {
    callers.emplace_back([&] {
      for (int i = 0;; ++i) {
        auto call =
            std::make_unique<Call>(std::vector<int>(static_cast<std::size_t>(1 + i % 7), i % 256));
        const absl::Status status = model_->Submit(call->job());
        if (!status.ok()) {
          EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
          return;
        }
        mine.push_back(std::move(call));
        if (i == 200) under_way.count_down();
      }
    });
  }
  under_way.wait();
  std::thread other([this] { model_->Drain(); });
  model_->Drain();
  for (auto& mine : accepted) {
    // Not before the callers have stopped: they still append.
    callers[static_cast<std::size_t>(&mine - accepted.data())].join();
    for (const auto& call : mine) {
      EXPECT_TRUE(call->done());
      EXPECT_EQ(call->Wait(), "OK");
    }
  }
  other.join();
  EXPECT_EQ(model_->queued_images(), 0);
}

TEST_F(BatchDispatcherTest, DestructorDrains) {
  Start(2, {.max_batch_size = 2, .capacity = 64, .max_delay = absl::Hours(1)});
  Call call({1});
  ASSERT_TRUE(model_->Submit(call.job()).ok());
  model_ = nullptr;
  EXPECT_TRUE(call.done());
}

}  // namespace
}  // namespace hellocnn::server
