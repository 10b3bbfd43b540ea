// What becomes of jobs of several callers and priorities in the queue.
#include <algorithm>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduling/batch_queue_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Origin kGreedy = {.caller = 1};
constexpr Origin kPolite = {.caller = 2};
constexpr Origin kLow = {.caller = 1, .priority = Priority::kLow};

// Batches of 16 images, and turns of 4.
class BatchQueueFairTest : public BatchQueueTest {
 protected:
  BatchQueueFairTest() { Make({.max_batch_size = 16, .capacity = 64}); }

  Named& PushOf(const Origin& origin, int images, Instant deadline = Instant::InfiniteFuture()) {
    return Push(images, deadline, origin);
  }
};

TEST_F(BatchQueueFairTest, BatchIsFullAndHoldsTheNewcomer) {
  PushOf(kGreedy, 60);
  Take();
  PushOf(kPolite, 1);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[16..20)", "b[0..1)", "a[20..31)"));
}

TEST_F(BatchQueueFairTest, PartsOfAJobInOneBatchAreReassembled) {
  Named& a = PushOf(kGreedy, 8);
  PushOf(kPolite, 8);
  const BatchQueue::Taken batch = Take();
  EXPECT_THAT(Shown(batch), ElementsAre("a[0..4)", "b[0..4)", "a[4..8)", "b[4..8)"));
  EXPECT_THAT(a.outcomes, IsEmpty());
  Finish(batch);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_TRUE(a.outcomes[0].status.ok());
  EXPECT_EQ(a.outcomes[0].timing.largest_batch, 16);
  EXPECT_EQ(a.computed(), 8);
}

TEST_F(BatchQueueFairTest, EngineFailureInOnePartFailsTheJobOnce) {
  Named& a = PushOf(kGreedy, 12);
  PushOf(kPolite, 8);
  BatchQueue::Taken batch = Take();
  Finish(batch, absl::InternalError("boom"));
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kInternal);
  ASSERT_EQ(dropped_by_failure_.size(), 1);
  EXPECT_EQ(dropped_by_failure_[0].images, 4);
}

TEST_F(BatchQueueFairTest, CancelledJobInTheMiddleOfARoundTakesNoRoom) {
  PushOf(kGreedy, 20);
  Named& b = PushOf(kPolite, 3);
  PushOf({.caller = 3}, 2);
  b.Cancel();
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..4)", "c[0..2)", "a[4..14)"));
  EXPECT_EQ(b.outcomes.at(0).status.code(), absl::StatusCode::kCancelled);
}

TEST_F(BatchQueueFairTest, NewcomerOfAnotherCallerDisplacesTheNewestJob) {
  PushOf(kGreedy, 32);
  Named& newest = PushOf(kGreedy, 32);
  now_ += absl::Milliseconds(2);
  EXPECT_TRUE(PushOf(kPolite, 1).pushed.ok());
  EXPECT_EQ(queue_->queued_images(), 33);
  EXPECT_FALSE(queue_->idle());
  EXPECT_THAT(newest.outcomes, IsEmpty());
  const BatchQueue::Taken taken = Take();
  EXPECT_EQ(taken.images, 16);
  ASSERT_EQ(taken.dropped.size(), 1);
  EXPECT_EQ(taken.dropped[0].images, 32);
  EXPECT_EQ(taken.dropped[0].reason, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(taken.dropped[0].waited, absl::Milliseconds(2));
  ASSERT_EQ(newest.outcomes.size(), 1);
  EXPECT_EQ(RetryAfter(newest.outcomes[0].status), absl::Milliseconds(100));
  EXPECT_THAT(Take().dropped, IsEmpty());
}

TEST_F(BatchQueueFairTest, NewcomerDisplacesAsManyJobsAsItNeeds) {
  for (int i = 0; i < 64; ++i) PushOf(kGreedy, 1);
  EXPECT_TRUE(PushOf(kPolite, 8).pushed.ok());
  EXPECT_EQ(queue_->queued_images(), 64);
  EXPECT_EQ(Take().dropped.size(), 8);
}

TEST_F(BatchQueueFairTest, CallerWithMostIsRejectedAsEver) {
  PushOf(kGreedy, 64);
  EXPECT_EQ(PushOf(kGreedy, 1).pushed.message(),
            "the queue is full: 64 of 64 images wait, 1 more do not fit");
  EXPECT_THAT(Take().dropped, IsEmpty());
}

TEST_F(BatchQueueFairTest, LowMakesRoomForNormalOfTheSameCaller) {
  PushOf(kLow, 32);
  PushOf(kLow, 32);
  EXPECT_TRUE(PushOf(kGreedy, 1).pushed.ok());
  EXPECT_EQ(queue_->queued_images(), 33);
}

TEST_F(BatchQueueFairTest, WhatDisplacesIsToldAtOnceThoughABatchMayWait) {
  Make({.max_batch_size = 16, .capacity = 16, .max_delay = absl::Seconds(1)});
  Named& displaced = PushOf(kGreedy, 16);
  PushOf(kPolite, 1);
  EXPECT_LE(queue_->ReleaseTime(), now_);
  EXPECT_THAT(Take().slices, IsEmpty());
  EXPECT_EQ(displaced.outcomes.size(), 1);
  EXPECT_EQ(queue_->ReleaseTime(), now_ + absl::Seconds(1));
}

TEST_F(BatchQueueFairTest, RejectedNewcomerDisplacesNobody) {
  queue_->OnComputed(1, absl::Milliseconds(10));
  PushOf(kGreedy, 64);
  EXPECT_EQ(PushOf(kPolite, 1, now_ + absl::Milliseconds(1)).pushed.code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Take().dropped, IsEmpty());
}

TEST_F(BatchQueueFairTest, ForesightCountsWhatComesBeforeOnly) {
  PushOf(kGreedy, 32);
  PushOf(kGreedy, 32);
  Finish(Take());
  now_ += absl::Milliseconds(16);
  Finish(Take());
  queue_->OnComputed(16, absl::Milliseconds(16));
  // 4 images before it and its own take 5 ms, and two batches 32.
  EXPECT_FALSE(PushOf(kPolite, 1, now_ + absl::Milliseconds(36)).pushed.ok());
  EXPECT_TRUE(PushOf(kPolite, 1, now_ + absl::Milliseconds(37)).pushed.ok());
}

TEST_F(BatchQueueFairTest, WhoeverComesEachBatchIsFullAndEachJobEndsOnce) {
  std::minstd_rand random(1);
  const auto below = [&random](unsigned bound) { return static_cast<int>(random() % bound); };
  for (int step = 0; step < 3000; ++step) {
    if (below(3) > 0) {
      PushOf(
          {.caller = random() % 5, .priority = below(3) == 0 ? Priority::kLow : Priority::kNormal},
          1 + below(20));
      continue;
    }
    const int queued = queue_->queued_images();
    const BatchQueue::Taken batch = Take();
    EXPECT_EQ(batch.images, std::min(queued, 16));
    EXPECT_EQ(queue_->queued_images(), queued - batch.images);
    Finish(batch);
  }
  while (!queue_->empty()) Finish(Take());
  EXPECT_TRUE(queue_->idle());
  int succeeded = 0;
  int displaced = 0;
  for (const auto& job : jobs_) {
    ASSERT_EQ(job->outcomes.size(), job->pushed.ok() ? 1U : 0U);
    if (!job->pushed.ok()) continue;
    ++(job->outcomes[0].status.ok() ? succeeded : displaced);
  }
  EXPECT_GT(succeeded, 500);
  EXPECT_GT(displaced, 100);
}

TEST_F(BatchQueueFairTest, WithFifoNobodyHasATurnAndNobodyIsDisplaced) {
  Make({.max_batch_size = 16, .capacity = 64, .policy = QueuePolicy::kFifo});
  PushOf(kLow, 8);
  PushOf(kGreedy, 56);
  EXPECT_EQ(PushOf(kPolite, 1).pushed.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..8)", "b[0..8)"));
  PushOf(kPolite, 1);
  EXPECT_THAT(Shown(Take()), ElementsAre("b[8..24)"));
}

}  // namespace
}  // namespace hellocnn::server
