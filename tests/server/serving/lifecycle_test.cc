#include "server/serving/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace hellocnn::server {
namespace {

using enum LifecycleState;
using States = std::vector<LifecycleState>;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array kAll = {kLoading, kServing, kLeaving, kDraining, kStopped};

TEST(LifecycleTest, GoesForwardAndTellsItsObserversEachState) {
  Lifecycle lifecycle;
  EXPECT_EQ(lifecycle.state(), kLoading);
  States seen;
  const auto observation = lifecycle.Observe([&](LifecycleState state) {
    EXPECT_EQ(lifecycle.state(), state);
    seen.push_back(state);
  });
  EXPECT_THAT(seen, ElementsAre(kLoading));
  for (const LifecycleState next : {kServing, kLeaving, kDraining, kStopped}) {
    EXPECT_TRUE(lifecycle.Enter(next).ok());
    EXPECT_EQ(seen.back(), next);
  }
  EXPECT_THAT(seen, ElementsAre(kLoading, kServing, kLeaving, kDraining, kStopped));
}

TEST(LifecycleTest, EveryOtherTransitionIsRefusedAndChangesNothing) {
  const std::vector<States> ways = {{},
                                    {kServing},
                                    {kServing, kLeaving},
                                    {kDraining},
                                    {kServing, kDraining},
                                    {kServing, kLeaving, kDraining},
                                    {kServing, kDraining, kStopped}};
  const std::vector<std::pair<LifecycleState, LifecycleState>> legal = {
      {kLoading, kServing},  {kLoading, kDraining}, {kServing, kLeaving},
      {kServing, kDraining}, {kLeaving, kDraining}, {kDraining, kStopped}};
  for (const States& way : ways) {
    for (const LifecycleState next : kAll) {
      Lifecycle lifecycle;
      for (const LifecycleState state : way) ASSERT_TRUE(lifecycle.Enter(state).ok());
      const LifecycleState from = lifecycle.state();
      if (std::find(legal.begin(), legal.end(), std::pair(from, next)) != legal.end()) continue;
      States seen;
      const auto observation =
          lifecycle.Observe([&](LifecycleState state) { seen.push_back(state); });
      const absl::Status status = lifecycle.Enter(next);
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(NameOf(from)));
      EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(NameOf(next)));
      EXPECT_EQ(lifecycle.state(), from);
      EXPECT_THAT(seen, ElementsAre(from));
    }
  }
}

TEST(LifecycleTest, ObserversAreToldInTheOrderInWhichTheyWereAdded) {
  Lifecycle lifecycle;
  std::vector<std::pair<int, LifecycleState>> seen;
  std::vector<std::unique_ptr<Lifecycle::Observation>> observations;
  for (int i = 0; i < 3; ++i) {
    observations.push_back(
        lifecycle.Observe([&seen, i](LifecycleState state) { seen.emplace_back(i, state); }));
  }
  seen.clear();
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  ASSERT_TRUE(lifecycle.Enter(kDraining).ok());
  EXPECT_THAT(
      seen, ElementsAre(std::pair(0, kServing), std::pair(1, kServing), std::pair(2, kServing),
                        std::pair(0, kDraining), std::pair(1, kDraining), std::pair(2, kDraining)));
}

TEST(LifecycleTest, LateObserverIsToldTheCurrentStateAndThenOnlyWhatFollows) {
  Lifecycle lifecycle;
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  States seen;
  const auto observation = lifecycle.Observe([&](LifecycleState state) { seen.push_back(state); });
  EXPECT_THAT(seen, ElementsAre(kServing));
  ASSERT_TRUE(lifecycle.Enter(kDraining).ok());
  EXPECT_THAT(seen, ElementsAre(kServing, kDraining));
}

TEST(LifecycleTest, ObserverMayChangeTheStateAndOthersStillSeeEveryState) {
  Lifecycle lifecycle;
  States seen;
  const auto first = lifecycle.Observe([&](LifecycleState state) {
    if (state != kServing) return;
    EXPECT_TRUE(lifecycle.Enter(kDraining).ok());
    EXPECT_EQ(lifecycle.state(), kDraining);
    EXPECT_THAT(seen, ElementsAre(kLoading));  // the second one has its turn later
  });
  const auto second = lifecycle.Observe([&](LifecycleState state) { seen.push_back(state); });
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  EXPECT_THAT(seen, ElementsAre(kLoading, kServing, kDraining));
}

TEST(LifecycleTest, ObserverMayAddAnotherOne) {
  Lifecycle lifecycle;
  States seen;
  std::unique_ptr<Lifecycle::Observation> inner;
  const auto outer = lifecycle.Observe([&](LifecycleState state) {
    if (state != kServing) return;
    inner = lifecycle.Observe([&](LifecycleState inner_state) { seen.push_back(inner_state); });
    EXPECT_THAT(seen, IsEmpty());
  });
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  EXPECT_THAT(seen, ElementsAre(kServing));
}

TEST(LifecycleTest, ObserverMayEndItsOwnObservation) {
  Lifecycle lifecycle;
  States seen;
  std::unique_ptr<Lifecycle::Observation> observation;
  observation = lifecycle.Observe([&](LifecycleState state) {
    seen.push_back(state);
    if (state == kServing) observation.reset();
  });
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  ASSERT_TRUE(lifecycle.Enter(kDraining).ok());
  EXPECT_THAT(seen, ElementsAre(kLoading, kServing));
}

TEST(LifecycleTest, EndedObservationIsNotTold) {
  Lifecycle lifecycle;
  States seen;
  auto observation = lifecycle.Observe([&](LifecycleState state) { seen.push_back(state); });
  observation.reset();
  ASSERT_TRUE(lifecycle.Enter(kServing).ok());
  EXPECT_THAT(seen, ElementsAre(kLoading));
}

// The destructor of an observation promises that its observer is not called any more, so it has to
// wait for a call on another thread.
TEST(LifecycleTest, EndingAnObservationWaitsForACallOnAnotherThread) {
  Lifecycle lifecycle;
  Notification called;
  Notification proceed;
  std::atomic<bool> returned = false;
  auto observation = lifecycle.Observe([&](LifecycleState state) {
    if (state != kServing) return;
    called.Notify();
    proceed.Wait();
    returned = true;
  });
  std::thread changer([&] { EXPECT_TRUE(lifecycle.Enter(kServing).ok()); });
  called.Wait();
  std::thread ender([&] {
    observation.reset();
    EXPECT_TRUE(returned);
  });
  proceed.Notify();
  ender.join();
  changer.join();
}

// Many threads try to change the state, others come and go as observers. Each of these must see a
// part of the states that were entered, without a gap, a repetition or an overlap of calls.
TEST(LifecycleTest, RandomInterleavingsLoseAndRepeatNothing) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Lifecycle lifecycle;
    std::atomic<int> calls_now = 0;
    std::array<std::atomic<int>, kAll.size()> entered{};
    const auto count_call = [&](States* seen, LifecycleState state) {
      EXPECT_EQ(calls_now.fetch_add(1), 0);
      seen->push_back(state);
      calls_now.fetch_sub(1);
    };
    States all;  // of an observer that is there from the start to the end
    const auto whole = lifecycle.Observe([&](LifecycleState state) { count_call(&all, state); });
    std::vector<States> parts(4);
    std::atomic<bool> begin = false;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(seed * 7 + t + 1);
        while (!begin) std::this_thread::yield();
        while (lifecycle.state() != kStopped) {
          const LifecycleState next = kAll[random() % kAll.size()];
          if (lifecycle.Enter(next).ok()) ++entered[static_cast<std::size_t>(next)];
        }
      });
    }
    for (std::size_t p = 0; p < parts.size(); ++p) {
      threads.emplace_back([&, p] {
        std::minstd_rand random(seed * 11 + static_cast<unsigned>(p) + 1);
        while (!begin) std::this_thread::yield();
        for (unsigned spins = random() % 50; spins > 0; --spins) std::this_thread::yield();
        std::atomic<bool> told = false;
        const auto observation = lifecycle.Observe([&](LifecycleState state) {
          count_call(&parts[p], state);
          told = true;
        });
        EXPECT_TRUE(told);
        for (unsigned spins = random() % 50; spins > 0; --spins) std::this_thread::yield();
      });
    }
    begin = true;
    for (std::thread& thread : threads) thread.join();

    ASSERT_EQ(all.front(), kLoading);
    ASSERT_EQ(all.back(), kStopped);
    EXPECT_EQ(entered[static_cast<std::size_t>(kDraining)], 1);
    EXPECT_EQ(entered[static_cast<std::size_t>(kStopped)], 1);
    States wanted = {kLoading};
    for (const LifecycleState optional : {kServing, kLeaving}) {
      if (entered[static_cast<std::size_t>(optional)] == 1) wanted.push_back(optional);
    }
    wanted.insert(wanted.end(), {kDraining, kStopped});
    EXPECT_EQ(all, wanted);
    for (const States& part : parts) {
      EXPECT_NE(std::search(all.begin(), all.end(), part.begin(), part.end()), all.end());
    }
  }
}

TEST(LifecycleTest, NamesAreThoseOfTheReadinessProbe) {
  EXPECT_STREQ(NameOf(kLoading), "loading");
  EXPECT_STREQ(NameOf(kServing), "serving");
  EXPECT_STREQ(NameOf(kLeaving), "leaving");
  EXPECT_STREQ(NameOf(kDraining), "draining");
  EXPECT_STREQ(NameOf(kStopped), "stopped");
}

}  // namespace
}  // namespace hellocnn::server
