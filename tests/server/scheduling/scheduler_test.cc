#include "server/scheduling/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "tests/server/scheduling/call.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

class SchedulerTest : public ::testing::Test {
 protected:
  BatchQueue* Add(const std::string& name, const BatchQueue::Options& options) {
    BatchQueue* const queue = scheduler_.Add(options);
    names_[queue] = name;
    return queue;
  }
  void Push(BatchQueue* queue, int images, Instant deadline = Instant::InfiniteFuture()) {
    calls_.push_back(
        std::make_unique<Call>(std::vector<int>(static_cast<std::size_t>(images)), deadline));
    ASSERT_TRUE(queue->Push(calls_.back()->job(), now_).ok());
  }
  void PushSpare(BatchQueue* queue, int images) {
    calls_.push_back(std::make_unique<Call>(std::vector<int>(static_cast<std::size_t>(images))));
    ASSERT_TRUE(scheduler_.PushSpare(queue, calls_.back()->job(), now_).ok());
  }
  // Takes a batch, computes nothing, and gives it back. Returns its queue's name, or "".
  std::string Turn(absl::Duration compute = absl::Milliseconds(1)) {
    const Scheduler::Batch batch = scheduler_.Take(now_, {});
    if (batch.queue == nullptr) return "";
    expected_ = batch.expected_compute;
    if (batch.taken.slices.empty()) return names_[batch.queue] + " dropped";
    const BatchQueue::Finished finished = scheduler_.Finish(batch, now_ + compute, compute, {});
    return names_[batch.queue] + (batch.spare ? " spare" : "");
  }

  Scheduler scheduler_;
  Instant now_;
  absl::Duration expected_;
  std::map<BatchQueue*, std::string> names_;
  std::vector<std::unique_ptr<Call>> calls_;
};

TEST_F(SchedulerTest, HasNothingToGiveWithoutAQueueAndWithoutAJob) {
  EXPECT_EQ(Turn(), "");
  EXPECT_EQ(scheduler_.ReleaseTime(), Instant::InfiniteFuture());
  Add("a", {});
  EXPECT_EQ(Turn(), "");
  EXPECT_TRUE(scheduler_.empty());
}

TEST_F(SchedulerTest, QueuesTakeTurnsHoweverLongOneOfThemIs) {
  BatchQueue* const a = Add("a", {.max_batch_size = 2});
  BatchQueue* const b = Add("b", {.max_batch_size = 2});
  BatchQueue* const c = Add("c", {.max_batch_size = 2});
  for (int i = 0; i < 4; ++i) Push(a, 2);
  Push(b, 4);
  Push(c, 1);
  EXPECT_EQ(scheduler_.queued_images(), 13);
  std::vector<std::string> turns;
  for (int i = 0; i < 8; ++i) turns.push_back(Turn());
  EXPECT_THAT(turns, ElementsAre("a", "b", "c", "a", "b", "a", "a", ""));
}

TEST_F(SchedulerTest, QueueThatMayWaitDoesNotHoldUpOneThatMayNot) {
  BatchQueue* const patient =
      Add("patient", {.max_batch_size = 8, .max_delay = absl::Milliseconds(5)});
  BatchQueue* const prompt = Add("prompt", {.max_batch_size = 8});
  Push(patient, 1);
  EXPECT_EQ(scheduler_.ReleaseTime(), now_ + absl::Milliseconds(5));
  Push(prompt, 1);
  EXPECT_EQ(scheduler_.ReleaseTime(), Instant::InfinitePast());
  EXPECT_EQ(Turn(), "prompt");
  EXPECT_EQ(Turn(), "");
  now_ += absl::Milliseconds(5);
  EXPECT_EQ(Turn(), "patient");
}

TEST_F(SchedulerTest, ExpectsWhatTheLastBatchOfTheSameQueueTook) {
  BatchQueue* const a = Add("a", {.max_batch_size = 4});
  BatchQueue* const b = Add("b", {.max_batch_size = 4});
  Push(a, 4);
  EXPECT_EQ(Turn(absl::Milliseconds(8)), "a");
  EXPECT_EQ(expected_, absl::InfiniteDuration());
  Push(b, 1);
  EXPECT_EQ(Turn(absl::Milliseconds(100)), "b");
  Push(a, 3);
  EXPECT_EQ(Turn(), "a");
  EXPECT_EQ(expected_, absl::Milliseconds(6));
}

TEST_F(SchedulerTest, ReportsWhatExpiredAndGoesOn) {
  BatchQueue* const a = Add("a", {});
  Push(a, 1, now_ + absl::Milliseconds(1));
  Push(a, 1);
  now_ += absl::Milliseconds(2);
  const Scheduler::Batch batch = scheduler_.Take(now_, {});
  ASSERT_EQ(batch.taken.dropped.size(), 1U);
  EXPECT_EQ(batch.taken.dropped[0].reason, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(batch.taken.images, 1);
}

TEST_F(SchedulerTest, QueueIsIdleOnceItsBatchesAreBackAndCanBeRemoved) {
  BatchQueue* const a = Add("a", {});
  BatchQueue* const b = Add("b", {});
  Push(a, 1);
  Push(b, 1);
  EXPECT_FALSE(a->idle());
  const Scheduler::Batch batch = scheduler_.Take(now_, {});
  ASSERT_EQ(batch.queue, a);
  EXPECT_TRUE(a->empty());
  EXPECT_FALSE(a->idle());
  scheduler_.Finish(batch, now_, absl::Milliseconds(1), {});
  EXPECT_TRUE(a->idle());
  scheduler_.Remove(a);
  EXPECT_EQ(Turn(), "b");
}

TEST_F(SchedulerTest, DrainReachesEveryQueue) {
  BatchQueue* const a = Add("a", {.max_batch_size = 8, .max_delay = absl::Seconds(1)});
  BatchQueue* const b = Add("b", {});
  Push(a, 1);
  scheduler_.Drain();
  EXPECT_TRUE(a->draining());
  EXPECT_TRUE(b->draining());
  EXPECT_EQ(Turn(), "a");
}

TEST_F(SchedulerTest, SpareJobsAreComputedOnlyWhenNothingElseIsDue) {
  BatchQueue* const a = Add("a", {.max_batch_size = 2, .max_delay = absl::Milliseconds(5)});
  BatchQueue* const b = Add("b", {.max_batch_size = 2});
  PushSpare(a, 4);
  EXPECT_LE(scheduler_.ReleaseTime(), now_);  // they do not wait for more
  EXPECT_EQ(scheduler_.queued_images(), 4);
  EXPECT_EQ(a->queued_images(), 0);
  Push(b, 4);
  Push(a, 2);
  EXPECT_EQ(Turn(), "a");
  EXPECT_EQ(Turn(), "b");
  EXPECT_EQ(Turn(), "b");
  EXPECT_EQ(Turn(), "a spare");
  Push(a, 1);  // it may wait, so it is not due
  EXPECT_EQ(Turn(), "a spare");
  EXPECT_EQ(Turn(), "");
  EXPECT_FALSE(scheduler_.empty());
}

TEST_F(SchedulerTest, SpareJobsTakeNoRoom) {
  BatchQueue* const a =
      Add("a", {.max_batch_size = 2, .capacity = 2, .policy = QueuePolicy::kFifo});
  PushSpare(a, 2);
  Push(a, 2);
  Call late({1});
  EXPECT_EQ(scheduler_.PushSpare(a, late.job(), now_).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Turn(), "a");
  EXPECT_EQ(Turn(), "a spare");
}

TEST_F(SchedulerTest, QueueIsIdleOnceItsSpareJobsAreBack) {
  BatchQueue* const a = Add("a", {.max_batch_size = 2});
  PushSpare(a, 1);
  EXPECT_FALSE(scheduler_.idle(a));
  const Scheduler::Batch batch = scheduler_.Take(now_, {});
  EXPECT_TRUE(scheduler_.empty());
  EXPECT_FALSE(scheduler_.idle(a));
  scheduler_.Finish(batch, now_, absl::Milliseconds(1), {});
  EXPECT_TRUE(scheduler_.idle(a));
  scheduler_.Drain(a);
  Call late({1});
  EXPECT_EQ(scheduler_.PushSpare(a, late.job(), now_).code(), absl::StatusCode::kUnavailable);
  scheduler_.Remove(a);
  BatchQueue* const b = Add("b", {.max_batch_size = 2});
  scheduler_.Drain();
  EXPECT_EQ(scheduler_.PushSpare(b, late.job(), now_).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hellocnn::server
