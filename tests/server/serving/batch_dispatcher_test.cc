#include "server/serving/batch_dispatcher.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduling/call.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::FakeEngines;
using ::hellocnn::testing::QuietEvents;
using ::hellocnn::testing::RecordingEvents;
using ::hellocnn::testing::ServedModel;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Le;

class BatchDispatcherTest : public ::testing::Test {
 protected:
  void Start(int threads, const BatchQueue::Options& options) {
    auto model =
        ServedModel::Start(threads, options, engines_.Factory(), &events_, {.events = &observer_});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
  // Submits a call that occupies the only worker until Release.
  void Occupy(Call& call) {
    engines_.Hold();
    ASSERT_TRUE(model_->Submit(call.job()).ok());
    engines_.WaitUntilHeld(1);
  }

  FakeEngines engines_;
  QuietEvents events_;
  RecordingEvents observer_{/*accepts=*/false};
  std::unique_ptr<ServedModel> model_;
};

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
void SubmitFromManyThreads(ServedModel& model, int threads, int jobs_each) {
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

TEST_F(BatchDispatcherTest, FullQueueRefusesAndDoesNotCallDone) {
  Start(1, {.max_batch_size = 4, .capacity = 4});
  Call first({1}), fits({2, 3, 4, 5}), refused({6});
  Occupy(first);
  ASSERT_TRUE(model_->Submit(fits.job()).ok());
  EXPECT_EQ(model_->Submit(refused.job()).code(), absl::StatusCode::kResourceExhausted);
  engines_.Release();
  EXPECT_EQ(fits.Wait(), "OK");
  model_->Drain();
  EXPECT_FALSE(refused.done());
}

TEST_F(BatchDispatcherTest, CancelledRequestIsDroppedBeforeCompute) {
  Start(1, {});
  Call first({1}), cancelled({2, 3}), last({4});
  Occupy(first);
  ASSERT_TRUE(model_->Submit(cancelled.job()).ok());
  ASSERT_TRUE(model_->Submit(last.job()).ok());
  cancelled.job()->Cancel();
  engines_.Release();
  EXPECT_EQ(cancelled.Wait(), "CANCELLED");
  EXPECT_EQ(last.Wait(), "OK");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 1));
  EXPECT_EQ(observer_.dropped("cancelled"), 2);
}

TEST_F(BatchDispatcherTest, ExpiredRequestIsDroppedBeforeCompute) {
  Start(1, {});
  Call first({1});
  Occupy(first);
  const Instant deadline = Clock::Monotonic()->Now() + absl::Milliseconds(20);
  Call expiring({2, 3}, deadline);
  ASSERT_TRUE(model_->Submit(expiring.job()).ok());
  while (Clock::Monotonic()->Now() <= deadline) std::this_thread::yield();
  engines_.Release();
  EXPECT_EQ(expiring.Wait(), "DEADLINE_EXCEEDED");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1));
  EXPECT_EQ(observer_.dropped("deadline"), 2);
}

TEST_F(BatchDispatcherTest, PastDeadlineIsRefusedAndDoneIsNotCalled) {
  Start(1, {});
  Call late({1}, Clock::Monotonic()->Now() - absl::Seconds(1));
  EXPECT_EQ(model_->Submit(late.job()).code(), absl::StatusCode::kDeadlineExceeded);
  model_->Drain();
  EXPECT_FALSE(late.done());
}

TEST_F(BatchDispatcherTest, EngineFailureIsInternalForThatBatchOnly) {
  Start(1, {.max_batch_size = 2, .capacity = 16});
  engines_.Fail(absl::UnknownError("not finite"));
  Call failed({1, 2, 3, 4, 5});
  ASSERT_TRUE(model_->Submit(failed.job()).ok());
  EXPECT_EQ(failed.Wait(), "INTERNAL");
  EXPECT_THAT(failed.message(), HasSubstr("not finite"));
  EXPECT_EQ(engines_.calls(), 1);
  engines_.Fail(absl::OkStatus());
  Call good({6});
  ASSERT_TRUE(model_->Submit(good.job()).ok());
  EXPECT_EQ(good.Wait(), "OK");
}

TEST_F(BatchDispatcherTest, ImagesThatTheEngineRejectsFailTheirOwnJobOnlyAndNothingRunsTwice) {
  Start(1, {.max_batch_size = 8, .capacity = 16});
  engines_.Reject(200, absl::InvalidArgumentError("not finite"));
  Call first({0});
  Occupy(first);
  Call before({1, 2}), refused({3, 200}), after({4});
  for (Call* call : {&before, &refused, &after}) {
    ASSERT_TRUE(model_->Submit(call->job()).ok());
  }
  engines_.Release();
  EXPECT_EQ(before.Wait(), "OK");
  EXPECT_EQ(refused.Wait(), "INVALID_ARGUMENT");
  EXPECT_EQ(refused.message(), "images[1]: not finite");
  EXPECT_EQ(after.Wait(), "OK");
  model_->Drain();
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 5));
  // What the engine says of images is no failure of it.
  EXPECT_EQ(observer_.failed(), 0);
  EXPECT_EQ(observer_.discarded(), 2);
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

TEST_F(BatchDispatcherTest, DrainUnderLoadAnswersExactlyWhatWasAccepted) {
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

TEST_F(BatchDispatcherTest, EachWorkerGetsItsOwnEngineAndNoneStartsIfOneFails) {
  Start(3, {});
  EXPECT_EQ(engines_.made(), 3);
  engines_.FailToMake(absl::NotFoundError("no weights"));
  QuietEvents others;
  EXPECT_EQ(ServedModel::Start(2, {}, engines_.Factory(), &others, {}).status(),
            absl::NotFoundError("no weights"));
  EXPECT_FALSE(events_.closed());
}

// As a gRPC server's that has not begun to shut down.
class EndlessEvents : public QuietEvents {
 public:
  void Close() override {}
};

TEST_F(BatchDispatcherTest, ThreadThatCannotStartIsAnErrorAndEndsThoseThatDid) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
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
        ServedModel::Start(100'000, {}, engines_.Factory(), &events, {}).status();
    std::fputs(std::string(status.message()).c_str(), stderr);
    std::exit(absl::IsResourceExhausted(status) ? 0 : 1);
  };
  EXPECT_EXIT(start(), ::testing::ExitedWithCode(0), "of 100000 does not start");
}

TEST_F(BatchDispatcherTest, OptionOutOfRangeIsRefusedByName) {
  const auto message = [this](int threads, const BatchQueue::Options& options) {
    return std::string(
        ServedModel::Start(threads, options, engines_.Factory(), &events_, {}).status().message());
  };
  EXPECT_THAT(message(0, {}), HasSubstr("threads is 0"));
  EXPECT_THAT(message(1, {.max_batch_size = 0}), HasSubstr("max_batch_size is 0"));
}

TEST_F(BatchDispatcherTest, EveryAdmittedImageIsAnsweredOrToldToTheObserverOnce) {
  Start(2, {.max_batch_size = 4, .capacity = 100'000});
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Call>> calls;
  int admitted = 0;
  for (int i = 0; i < 2'000; ++i) {
    const int images = 1 + static_cast<int>(random() % 12);
    const Instant deadline = random() % 4 == 0
                                 ? Clock::Monotonic()->Now() + absl::Microseconds(random() % 2'000)
                                 : Instant::InfiniteFuture();
    auto call =
        std::make_unique<Call>(std::vector<int>(static_cast<std::size_t>(images), 1), deadline);
    engines_.Fail(random() % 3 == 0 ? absl::InternalError("boom") : absl::OkStatus());
    if (!model_->Submit(call->job()).ok()) continue;  // it was late already
    admitted += images;
    if (random() % 4 == 0) call->job()->Cancel();
    calls.push_back(std::move(call));
  }
  model_->Drain();
  int answered = 0;
  for (const auto& call : calls) {
    if (call->Wait() == "OK") answered += static_cast<int>(call->job()->images().size());
  }
  EXPECT_EQ(admitted, answered + observer_.dropped() + observer_.failed() + observer_.discarded());
  EXPECT_EQ(admitted, observer_.computed() + observer_.dropped());
}

TEST_F(BatchDispatcherTest, PartComputedBeforeTheRestIsDroppedIsAbandoned) {
  Start(1, {.max_batch_size = 4, .capacity = 100});
  Call call({1, 2, 3, 4, 5, 6});
  Occupy(call);
  call.job()->Cancel();
  engines_.Release();
  EXPECT_EQ(call.Wait(), "CANCELLED");
  EXPECT_EQ(observer_.dropped("cancelled"), 2);
  EXPECT_EQ(observer_.discarded(), 4);
}

TEST_F(BatchDispatcherTest, RestOfAJobWhoseFirstPartFailsIsDropped) {
  Start(1, {.max_batch_size = 4, .capacity = 100});
  engines_.Fail(absl::InternalError("boom"));
  Call call({1, 2, 3, 4, 5, 6});
  Occupy(call);
  engines_.Release();
  EXPECT_EQ(call.Wait(), "INTERNAL");
  EXPECT_EQ(observer_.failed(), 4);
  EXPECT_EQ(observer_.dropped(), 2);
  EXPECT_EQ(observer_.discarded(), 0);
}

// Each event runs a function.
class FunctionEvents : public EventQueue {
 public:
  void Add(std::function<void()> function) {
    {
      const std::scoped_lock lock(mutex_);
      functions_.push_back(std::move(function));
    }
    wakes_.Wake();
  }

  Got Wait(Instant until, Event* event) override {
    if (Pop(event)) return Got::kEvent;
    const Got got = wakes_.Wait(until, event);
    if (Pop(event)) return Got::kEvent;
    return got;
  }
  void Handle(const Event& event) override {
    const std::unique_ptr<std::function<void()>> function(
        static_cast<std::function<void()>*>(event.tag));
    (*function)();
  }
  void Wake() override { wakes_.Wake(); }
  void Close() override { wakes_.Close(); }

 private:
  bool Pop(Event* event) {
    const std::scoped_lock lock(mutex_);
    if (functions_.empty()) return false;
    event->tag = new std::function<void()>(std::move(functions_.front()));
    functions_.pop_front();
    return true;
  }

  std::mutex mutex_;
  std::deque<std::function<void()>> functions_;
  QuietEvents wakes_;
};

class BatchDispatcherEventsTest : public BatchDispatcherTest {
 protected:
  ~BatchDispatcherEventsTest() override { model_ = nullptr; }  // before the events

  void Start(int threads, const BatchQueue::Options& options) {
    auto model = ServedModel::Start(threads, options, engines_.Factory(), &function_events_,
                                    {.events = &observer_});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
  void Submit(Call& call) {
    function_events_.Add([this, &call] { EXPECT_TRUE(model_->Submit(call.job()).ok()); });
  }

  FunctionEvents function_events_;
};

TEST_F(BatchDispatcherEventsTest, WhatEventsBringTogetherIsOneBatch) {
  Start(1, {.max_batch_size = 8, .capacity = 8});
  Call first({1}), second({2}), third({3, 4});
  engines_.Hold();
  Submit(first);
  engines_.WaitUntilHeld(1);
  Submit(second);
  Submit(third);
  engines_.Release();
  EXPECT_EQ(third.Wait(), "OK");
  EXPECT_EQ(second.Wait(), "OK");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 3));
}

TEST_F(BatchDispatcherEventsTest, QueueRefusesWhatEventsBringBeyondItsCapacity) {
  Start(1, {.max_batch_size = 2, .capacity = 4});
  Call first({1}), fits({2, 3, 4, 5}), refused({6});
  engines_.Hold();
  Submit(first);
  engines_.WaitUntilHeld(1);
  Submit(fits);
  std::atomic<absl::StatusCode> code = absl::StatusCode::kOk;
  function_events_.Add([&] { code = model_->Submit(refused.job()).code(); });
  engines_.Release();
  EXPECT_EQ(fits.Wait(), "OK");
  EXPECT_EQ(code, absl::StatusCode::kResourceExhausted);
}

TEST_F(BatchDispatcherEventsTest, EventsWithoutEndDoNotKeepABatchFromBeingComputed) {
  Start(1, {.max_batch_size = 2, .capacity = 8});
  std::atomic<bool> stop = false;
  // Each event brings the next one.
  std::function<void()> again = [&] {
    if (!stop) function_events_.Add(again);
  };
  function_events_.Add(again);
  Call call({1});
  Submit(call);
  EXPECT_EQ(call.Wait(), "OK");
  stop = true;
  model_->Drain();
}

TEST_F(BatchDispatcherEventsTest, IdleWorkersShareWhatAnEventBrings) {
  Start(3, {.max_batch_size = 2, .capacity = 6});
  engines_.Hold();
  Call call({0, 1, 2, 3, 4, 5});
  Submit(call);
  engines_.WaitUntilHeld(3);
  engines_.Release();
  EXPECT_EQ(call.Wait(), "OK");
}

TEST_F(BatchDispatcherEventsTest, DelayEndsWithoutAFurtherEvent) {
  Start(2, {.max_batch_size = 8, .capacity = 8, .max_delay = absl::Milliseconds(5)});
  Call call({1});
  Submit(call);
  EXPECT_EQ(call.Wait(), "OK");
  EXPECT_GE(call.timing().queue, absl::Milliseconds(5));
}

TEST_F(BatchDispatcherEventsTest, DrainHandlesTheEventsThatAreLeft) {
  Start(1, {});
  std::atomic<int> handled = 0;
  for (int i = 0; i < 100; ++i) function_events_.Add([&] { ++handled; });
  model_->Drain();
  EXPECT_EQ(handled, 100);
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
        dispatcher.AddQueue({.max_batch_size = 4, .capacity = 1'000, .max_delay = absl::Hours(1)})
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
  BatchQueue* const queue = dispatcher.AddQueue({}).value();
  FakeEngines others;
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
