#include "server/runtime/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "tests/testing/fake_clock.h"

namespace hellocnn::server {
namespace {

// Events that are functions. Thread-safe.
class FunctionEvents final : public EventQueue {
 public:
  void Add(std::function<void()> function) {
    MutexLock lock(&mutex_);
    functions_.push_back(std::move(function));
    changed_.Signal();
  }
  Got Wait(Instant until, Event* event) override {
    MutexLock lock(&mutex_);
    while (functions_.empty() && !closed_ && !woken_ && !changed_.WaitUntil(&mutex_, until)) {
    }
    if (!functions_.empty()) {
      event->tag = new std::function<void()>(std::move(functions_.front()));
      functions_.pop_front();
      return Got::kEvent;
    }
    if (closed_) return Got::kEnd;
    woken_ = false;
    return Got::kNothing;
  }
  void Handle(const Event& event) override {
    const std::unique_ptr<std::function<void()>> function(
        static_cast<std::function<void()>*>(event.tag));
    (*function)();
  }
  void Wake() override {
    MutexLock lock(&mutex_);
    woken_ = true;
    changed_.Signal();
  }
  void Close() override {
    MutexLock lock(&mutex_);
    closed_ = true;
    changed_.SignalAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> functions_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

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
  FunctionEvents events_;
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

TEST(WorkerPoolStartTest, NoThreadsIsAnError) {
  FunctionWork work(1);
  EXPECT_EQ(WorkerPool::Start(0, 8, &work, Clock::Monotonic()).status(),
            absl::InvalidArgumentError("threads is 0, wanted at least 1"));
}

}  // namespace
}  // namespace hellocnn::server
