// Tests how workers handle events and compute batches in turn.
#include <atomic>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/serving/batch_dispatcher.h"
#include "tests/server/scheduling/call.h"
#include "tests/server/serving/batch_dispatcher_fixture.h"
#include "tests/testing/function_events.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

class BatchDispatcherEventsTest : public BatchDispatcherTest {
 protected:
  ~BatchDispatcherEventsTest() override { model_ = nullptr; }  // before the events

  void Start(int threads, const BatchQueue::Options& options) {
    auto model = testing::ServedModel::Start(threads, options, engines_.Factory(),
                                             &function_events_, {.events = &observer_});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
  void Submit(Call& call) {
    function_events_.Add([this, &call] { EXPECT_TRUE(model_->Submit(call.job()).ok()); });
  }

  testing::FunctionEvents function_events_;
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

TEST_F(BatchDispatcherEventsTest, QueueRejectsWhatEventsBringBeyondItsCapacity) {
  Start(1, {.max_batch_size = 2, .capacity = 4});
  Call first({1}), fits({2, 3, 4, 5}), rejected({6});
  engines_.Hold();
  Submit(first);
  engines_.WaitUntilHeld(1);
  Submit(fits);
  std::atomic<absl::StatusCode> code = absl::StatusCode::kOk;
  function_events_.Add([&] { code = model_->Submit(rejected.job()).code(); });
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

}  // namespace
}  // namespace hellocnn::server
