#include "server/serving/batch_dispatcher.h"

#include <atomic>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduling/call.h"
#include "tests/server/serving/batch_dispatcher_fixture.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;

TEST_F(BatchDispatcherTest, OneCallIsAnswered) {
  Start(1, {});
  Call call({3, 1, 4});
  ASSERT_TRUE(model_->Submit(call.job()).ok());
  EXPECT_EQ(call.Wait(), "OK");
  EXPECT_EQ(call.timing().largest_batch, 3);
  EXPECT_EQ(model_->queued_images(), 0);
}

// Every thread submits jobs of random sizes, splitting many; each must be answered rightly and
// once.
void SubmitFromManyThreads(testing::ServedModel& model, int threads, int jobs_each) {
  std::vector<std::thread> callers;
  for (int t = 0; t < threads; ++t) {
    callers.emplace_back([&model, t, jobs_each] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<std::unique_ptr<Call>> calls;
      for (int i = 0; i < jobs_each; ++i) {
        std::vector<int> pixels(random() % 8 == 0 ? 1 + random() % 40 : 1 + random() % 3);
        for (int& pixel : pixels) pixel = static_cast<int>(random() % 256);
        calls.push_back(std::make_unique<Call>(std::move(pixels)));
        EXPECT_TRUE(model.Submit(calls.back()->job()).ok());
        if (i % 16 == 0) calls.back()->Wait();  // now one by one, now in bursts
      }
      for (const auto& call : calls) EXPECT_EQ(call->Wait(), "OK");
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(BatchDispatcherTest, ManyThreadsGetTheRightAnswersExactlyOnce) {
  Start(3, {.max_batch_size = 8, .capacity = 1'000'000});
  SubmitFromManyThreads(*model_, 8, 1000);
  const std::vector<int> sizes = engines_.batch_sizes();
  EXPECT_THAT(sizes, Each(Le(8)));
  model_->Drain();
  EXPECT_EQ(observer_.computed(), std::accumulate(sizes.begin(), sizes.end(), 0));
}

TEST_F(BatchDispatcherTest, ManyThreadsGetTheRightAnswersWithADelay) {
  Start(3, {.max_batch_size = 8, .capacity = 1'000'000, .max_delay = absl::Microseconds(50)});
  SubmitFromManyThreads(*model_, 8, 300);
}

TEST_F(BatchDispatcherTest, DelayEndsWithoutAFurtherCall) {
  Start(2, {.max_batch_size = 8, .capacity = 8, .max_delay = absl::Milliseconds(5)});
  for (int i = 0; i < 3; ++i) {
    Call call({i});
    ASSERT_TRUE(model_->Submit(call.job()).ok());
    EXPECT_EQ(call.Wait(), "OK");
    EXPECT_GE(call.timing().queue, absl::Milliseconds(5));
  }
}

TEST_F(BatchDispatcherTest, IdleWorkersComputeOneLargeJobTogether) {
  Start(3, {.max_batch_size = 2, .capacity = 6});
  engines_.Hold();
  Call call({0, 1, 2, 3, 4, 5});
  ASSERT_TRUE(model_->Submit(call.job()).ok());
  engines_.WaitUntilHeld(3);
  engines_.Release();
  EXPECT_EQ(call.Wait(), "OK");
}

TEST_F(BatchDispatcherTest, JobsThatWaitTogetherAreOneBatch) {
  Start(1, {.max_batch_size = 8, .capacity = 8});
  Call first({1}), second({2}), third({3, 4});
  Occupy(first);
  ASSERT_TRUE(model_->Submit(second.job()).ok());
  ASSERT_TRUE(model_->Submit(third.job()).ok());
  EXPECT_EQ(model_->queued_images(), 3);
  engines_.Release();
  EXPECT_EQ(third.Wait(), "OK");
  EXPECT_EQ(second.Wait(), "OK");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 3));
}

TEST_F(BatchDispatcherTest, WorkersAreBusyWhenTheyComputeAndNotWhenTheyWait) {
  const Instant start = Clock::Monotonic()->Now();
  Start(2, {});
  Call first({1}), second({2});
  Occupy(first);
  while (Clock::Monotonic()->Now() < start + absl::Milliseconds(20)) std::this_thread::yield();
  engines_.Release();
  EXPECT_EQ(first.Wait(), "OK");
  ASSERT_TRUE(model_->Submit(second.job()).ok());
  EXPECT_EQ(second.Wait(), "OK");
  model_->Drain();
  const absl::Duration all = Clock::Monotonic()->Now() - start;
  EXPECT_GE(observer_.busy(), observer_.compute());
  EXPECT_LT(observer_.busy(), all + all / 2) << "one of the two waited nearly all the time";
}

TEST_F(BatchDispatcherTest, QueuesAreAddedAndRemovedWhileOthersServe) {
  Start(2, {.max_batch_size = 4, .capacity = 100'000});
  BatchDispatcher& dispatcher = model_->dispatcher();
  std::atomic<bool> stop = false;
  std::thread others([&] {
    while (!stop) {
      Call call({1, 2, 3});
      ASSERT_TRUE(model_->Submit(call.job()).ok());
      EXPECT_EQ(call.Wait(), "OK");
    }
  });
  for (int round = 0; round < 50; ++round) {
    BatchQueue* const queue =
        dispatcher
            .AddQueue({.max_batch_size = 4, .capacity = 1'000, .max_delay = absl::Hours(1)},
                      kNoModel)
            .value();
    dispatcher.pool().ForEachWorker([&](int worker) {
      dispatcher.executor(worker).SetEngine(queue, engines_.Factory()().value(), {});
      return false;
    });
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < 10; ++i) {
      calls.push_back(std::make_unique<Call>(std::vector<int>{i, i + 1, i + 2}));
      ASSERT_TRUE(dispatcher.Submit(queue, calls.back()->job()).ok());
    }
    dispatcher.RemoveQueue(queue);
    for (const auto& call : calls) {
      EXPECT_TRUE(call->done());
      EXPECT_EQ(call->Wait(), "OK");
    }
  }
  stop = true;
  others.join();
}

TEST_F(BatchDispatcherTest, LongQueueOfOneModelDoesNotKeepAnotherWaiting) {
  Start(1, {.max_batch_size = 1, .capacity = 1'000});
  BatchDispatcher& dispatcher = model_->dispatcher();
  BatchQueue* const queue = dispatcher.AddQueue({}, kNoModel).value();
  testing::FakeEngines others;
  dispatcher.pool().ForEachWorker([&](int worker) {
    dispatcher.executor(worker).SetEngine(queue, others.Factory()().value(), {});
    return false;
  });
  Call first({0}), late({1});
  Occupy(first);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(std::make_unique<Call>(std::vector<int>{i}));
    ASSERT_TRUE(model_->Submit(calls.back()->job()).ok());
  }
  ASSERT_TRUE(dispatcher.Submit(queue, late.job()).ok());
  others.Hold();
  engines_.Release();
  // It is computed while most of those that came before it wait: after one of them at the most.
  others.WaitUntilHeld(1);
  EXPECT_GE(dispatcher.queued_images(), 99);
  others.Release();
  EXPECT_EQ(late.Wait(), "OK");
  model_ = nullptr;  // before the calls and the engines
}

}  // namespace
}  // namespace hellocnn::server
