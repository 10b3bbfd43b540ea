#include "server/runtime/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/function_events.h"

namespace hellocnn::server {
namespace {

// Work that is functions, due at once.
class FunctionWork final : public Work {
 public:
  explicit FunctionWork(int workers) : mine_(static_cast<std::size_t>(workers)) {}

  void Add(std::function<void(int worker)> function) {
    MutexLock lock(&mutex_);
    functions_.push_back(std::move(function));
    due_ = true;
  }
  Instant DueTime() const override {
    return due_ ? Instant::InfinitePast() : Instant::InfiniteFuture();
  }
  Taken Take(int worker) override {
    MutexLock lock(&mutex_);
    if (functions_.empty()) return {};
    mine_[static_cast<std::size_t>(worker)] = std::move(functions_.front());
    functions_.pop_front();
    due_ = !functions_.empty();
    return {.found = true, .more = due_, .expected = absl::InfiniteDuration()};
  }
  void Run(int worker) override { mine_[static_cast<std::size_t>(worker)](worker); }
  void OnBusy(int /*worker*/, absl::Duration busy) override {
    EXPECT_GE(busy, absl::ZeroDuration());
    busy_nanoseconds_ += absl::ToInt64Nanoseconds(busy);
  }
  absl::Duration busy() const { return absl::Nanoseconds(busy_nanoseconds_.load()); }

 private:
  std::vector<std::function<void(int)>> mine_;
  std::atomic<std::int64_t> busy_nanoseconds_{0};
  std::atomic<bool> due_{false};
  Mutex mutex_;
  std::deque<std::function<void(int)>> functions_ ABSL_GUARDED_BY(mutex_);
};

class WorkerPoolTest : public ::testing::TestWithParam<int> {
 protected:
  WorkerPoolTest() : work_(GetParam()) {
    pool_ = WorkerPool::Start(GetParam(), 8, &work_, Clock::Monotonic()).value();
  }
  FunctionWork work_;
  testing::FunctionEvents events_;
  std::unique_ptr<WorkerPool> pool_;
};

INSTANTIATE_TEST_SUITE_P(Workers, WorkerPoolTest, ::testing::Values(1, 2, 5));

TEST_P(WorkerPoolTest, RunsWorkThatIsAddedBeforeThereAreEvents) {
  Notification done;
  work_.Add([&](int) { done.Notify(); });
  pool_->WorkAdded();
  done.Wait();
}

TEST_P(WorkerPoolTest, RunsWorkThatAnEventAdds) {
  pool_->Attach(&events_);
  for (int i = 0; i < 100; ++i) {
    Notification done;
    events_.Add([&] {
      work_.Add([&](int) { done.Notify(); });
      pool_->WorkAdded();
    });
    done.Wait();
  }
}

TEST_P(WorkerPoolTest, WorkFromElsewhereWakesAWorkerThatWaitsForEvents) {
  pool_->Attach(&events_);
  for (int i = 0; i < 1000; ++i) {
    Notification done;
    work_.Add([&](int) { done.Notify(); });
    pool_->WorkAdded();
    done.Wait();
  }
}

TEST_P(WorkerPoolTest, AWorkerHandlesTheEventsThatItMakesWhileAnotherWaits) {
  pool_->Attach(&events_);
  for (int i = 0; i < 200; ++i) {
    Notification done;
    work_.Add([&](int) { events_.AddReady([&] { done.Notify(); }); });
    pool_->WorkAdded();
    ASSERT_TRUE(done.WaitUntil(Clock::Monotonic()->Now() + absl::Seconds(30))) << i;
  }
}

TEST_P(WorkerPoolTest, StepsRunOnEachWorkerUntilTheyReturnFalse) {
  for (const bool attached : {false, true}) {
    if (attached) pool_->Attach(&events_);
    Mutex mutex;
    std::vector<int> steps(static_cast<std::size_t>(GetParam()));
    std::set<std::thread::id> threads;
    pool_->ForEachWorker([&](int worker) {
      MutexLock lock(&mutex);
      threads.insert(std::this_thread::get_id());
      return ++steps[static_cast<std::size_t>(worker)] < 3;
    });
    EXPECT_EQ(steps, std::vector<int>(steps.size(), 3));
    EXPECT_EQ(threads.size(), steps.size());
  }
}

TEST_P(WorkerPoolTest, EventsAreHandledBetweenSteps) {
  pool_->Attach(&events_);
  std::atomic<bool> handled{false};
  events_.Add([&] { handled = true; });
  // Ends only because an event is handled meanwhile.
  pool_->ForEachWorker([&](int) { return !handled.load(); });
  EXPECT_TRUE(handled);
}

TEST_P(WorkerPoolTest, WorkGoesOnBetweenSteps) {
  pool_->Attach(&events_);
  std::atomic<bool> ran{false};
  work_.Add([&](int) { ran = true; });
  pool_->WorkAdded();
  pool_->ForEachWorker([&](int) { return !ran.load(); });
  EXPECT_TRUE(ran);
}

TEST_P(WorkerPoolTest, CallersOfForEachWorkerTakeTurns) {
  pool_->Attach(&events_);
  std::atomic<int> steps{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(pool_->ForEachWorker([&](int) {
          ++steps;
          return false;
        }));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(steps, 4 * 20 * GetParam());
}

TEST_P(WorkerPoolTest, StoppedPoolRunsNoStep) {
  pool_->Attach(&events_);
  pool_->Stop();
  EXPECT_FALSE(pool_->ForEachWorker([](int) -> bool {
    ADD_FAILURE();
    return false;
  }));
}

TEST_P(WorkerPoolTest, AllWorkersWorkWhenThereIsWorkForAll) {
  pool_->Attach(&events_);
  std::atomic<int> running{0};
  Notification all;
  for (int i = 0; i < GetParam(); ++i) {
    work_.Add([&](int) {
      if (++running == GetParam()) all.Notify();
      all.Wait();
    });
    pool_->WorkAdded();
  }
  all.Wait();
  pool_->Stop();  // no worker is in Wait any more
}

TEST_P(WorkerPoolTest, StopRunsWhatIsLeftAndCanBeCalledTwice) {
  pool_->Attach(&events_);
  std::atomic<int> runs{0};
  for (int i = 0; i < 100; ++i) {
    events_.Add([&] {
      work_.Add([&](int) { ++runs; });
      pool_->WorkAdded();
    });
  }
  pool_->Stop();
  EXPECT_EQ(runs, 100);
  pool_->Stop();
}

TEST_P(WorkerPoolTest, WorkersTakeDenormalNumbersForZero) {
#if defined(__x86_64__)
  pool_->ForEachWorker([](int) {
    volatile float tiny = std::numeric_limits<float>::min();
    volatile float half = 0.5F;
    EXPECT_EQ(tiny * half, 0.0F);
    return false;
  });
#endif
}

TEST(WorkerPoolBusyTest, StepsDoNotCountAndWorkDoes) {
  testing::FakeClock clock;
  FunctionWork work(1);
  const auto pool = WorkerPool::Start(1, 8, &work, &clock).value();
  pool->ForEachWorker([&](int) {
    clock.Advance(absl::Hours(1));
    return false;
  });
  work.Add([&](int) { clock.Advance(absl::Seconds(2)); });
  pool->WorkAdded();
  pool->Stop();
  EXPECT_EQ(work.busy(), absl::Seconds(2));
}

// Runs a piece of work that takes `work_time`. When it ends, another one is due, and there are 100
// events, each of which takes `event_time`. Returns how many come before the other.
int EventsBetween(absl::Duration work_time, absl::Duration event_time) {
  testing::FakeClock clock;
  FunctionWork work(1);
  testing::FunctionEvents events;
  const auto pool = WorkerPool::Start(1, 1000, &work, &clock).value();
  pool->Attach(&events);
  int handled = 0;
  int between = -1;
  work.Add([&](int) {
    clock.Advance(work_time);
    work.Add([&](int) { between = handled; });
    for (int i = 0; i < 100; ++i) {
      events.AddReady([&] {
        clock.Advance(event_time);
        ++handled;
      });
    }
  });
  pool->WorkAdded();
  pool->Stop();
  return between;
}

TEST(WorkerPoolEventTimeTest, EventsTakeNoLongerThanTheWork) {
  EXPECT_EQ(EventsBetween(absl::Milliseconds(20), absl::Milliseconds(1)), 20);
}

TEST(WorkerPoolEventTimeTest, EventsMayAlwaysTakeHalfAMillisecond) {
  EXPECT_EQ(EventsBetween(absl::Microseconds(1), absl::Microseconds(100)), 5);
}

TEST(WorkerPoolStartTest, NoThreadsIsAnError) {
  FunctionWork work(1);
  EXPECT_EQ(WorkerPool::Start(0, 8, &work, Clock::Monotonic()).status(),
            absl::InvalidArgumentError("threads is 0, wanted at least 1"));
}

TEST_P(WorkerPoolTest, AllWorkersRespondWithOrWithoutEvents) {
  EXPECT_TRUE(pool_->AllRespond(Instant::InfiniteFuture()));
  pool_->Attach(&events_);
  EXPECT_TRUE(pool_->AllRespond(Instant::InfiniteFuture()));
  EXPECT_TRUE(pool_->AllRespond(Instant::InfiniteFuture()));
}

TEST_P(WorkerPoolTest, WorkersThatMakeStepsRespond) {
  pool_->Attach(&events_);
  Notification asked;
  std::thread steps([&] {
    pool_->ForEachWorker([&](int worker) { return worker == 0 && !asked.HasBeenNotified(); });
  });
  EXPECT_TRUE(pool_->AllRespond(Instant::InfiniteFuture()));
  asked.Notify();
  steps.join();
}

TEST_P(WorkerPoolTest, AWorkerThatHangsDoesNotRespondUntilItGoesOn) {
  pool_->Attach(&events_);
  Notification hangs;
  Notification go_on;
  work_.Add([&](int) {
    hangs.Notify();
    go_on.Wait();
  });
  pool_->WorkAdded();
  hangs.Wait();
  EXPECT_FALSE(pool_->AllRespond(Clock::Monotonic()->Now()));
  EXPECT_FALSE(pool_->AllRespond(Clock::Monotonic()->Now()));
  go_on.Notify();
  EXPECT_TRUE(pool_->AllRespond(Instant::InfiniteFuture()));
}

}  // namespace
}  // namespace hellocnn::server
