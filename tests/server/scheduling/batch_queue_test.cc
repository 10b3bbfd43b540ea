#include "server/scheduling/batch_queue.h"

#include <string>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduling/batch_queue_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(BatchQueueTest, EmptyQueueHasNothingToAskAgainFor) {
  const BatchQueue::Taken taken = Take();
  EXPECT_THAT(taken.slices, IsEmpty());
  EXPECT_THAT(taken.dropped, IsEmpty());
  EXPECT_EQ(taken.ask_again, Instant::InfiniteFuture());
}

TEST_F(BatchQueueTest, WithoutDelayTakesWhatThereIsAtOnce) {
  Push(1);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..1)"));
  EXPECT_TRUE(queue_->empty());
}

TEST_F(BatchQueueTest, TakesJobsInTheOrderOfArrival) {
  Push(1);
  Push(2);
  Push(1);
  Push(1);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..1)", "b[0..2)", "c[0..1)"));
  EXPECT_THAT(Shown(Take()), ElementsAre("d[0..1)"));
}

TEST_F(BatchQueueTest, LargeJobIsSplitAndItsRemainderStaysAtTheHead) {
  Push(2);
  Push(7);
  Push(1);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..2)", "b[0..2)"));
  EXPECT_THAT(Shown(Take()), ElementsAre("b[2..6)"));
  EXPECT_THAT(Shown(Take()), ElementsAre("b[6..7)", "c[0..1)"));
}

TEST_F(BatchQueueTest, SplitJobIsReassembledInItsOwnOrderWhateverFinishesFirst) {
  Named& a = Push(9);
  const BatchQueue::Taken first = Take(), second = Take(), third = Take();
  Finish(third);
  Finish(first);
  EXPECT_THAT(a.outcomes, IsEmpty());
  Finish(second);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_TRUE(a.outcomes[0].status.ok());
  std::vector<float> wanted;
  for (int i = 0; i < 9; ++i) {
    const auto row = hellocnn::testing::FakeRow(i);
    wanted.insert(wanted.end(), row.begin(), row.end());
  }
  EXPECT_EQ(a.outcomes[0].log_probabilities, wanted);
}

TEST_F(BatchQueueTest, TimingSplitsTheTimeSinceSubmitAtTheFirstTake) {
  Named& a = Push(5);
  now_ += absl::Milliseconds(3);
  const BatchQueue::Taken first = Take();
  now_ += absl::Milliseconds(10);
  Finish(first);
  const BatchQueue::Taken second = Take();
  now_ += absl::Milliseconds(20);
  Finish(second);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].timing.queue, absl::Milliseconds(3));
  EXPECT_EQ(a.outcomes[0].timing.compute, absl::Milliseconds(30));
  EXPECT_EQ(a.outcomes[0].timing.largest_batch, 4);
}

TEST_F(BatchQueueTest, LargestBatchCountsTheImagesOfOthers) {
  Named& a = Push(1);
  Push(2);
  Finish(Take());
  EXPECT_EQ(a.outcomes.at(0).timing.largest_batch, 3);
}

TEST_F(BatchQueueTest, CapacityAdmitsAJobWholeOrRefusesIt) {
  EXPECT_TRUE(Push(8).pushed.ok());
  const absl::Status refused = Push(3).pushed;
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("8 of 10"));
  EXPECT_TRUE(Push(2).pushed.ok());
  EXPECT_EQ(queue_->queued_images(), 10);
}

TEST_F(BatchQueueTest, CapacityIsFreedByTakingNotByFinishing) {
  Push(10);
  EXPECT_EQ(Push(4).pushed.code(), absl::StatusCode::kResourceExhausted);
  Take();
  EXPECT_EQ(queue_->queued_images(), 6);
  EXPECT_TRUE(Push(4).pushed.ok());
}

TEST_F(BatchQueueTest, JobThatCanNeverBeQueuedIsRefusedAsInvalid) {
  EXPECT_EQ(Push(0).pushed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Push(11).pushed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(queue_->empty());
}

TEST_F(BatchQueueTest, JobWithPastDeadlineIsNotAdmitted) {
  EXPECT_EQ(Push(1, now_).pushed.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Push(1, now_ + absl::Nanoseconds(1)).pushed.ok());
}

TEST_F(BatchQueueTest, ExpiredRequestIsDroppedBeforeCompute) {
  Named& a = Push(2, now_ + absl::Milliseconds(5));
  Push(1);
  now_ += absl::Milliseconds(5);
  const BatchQueue::Taken taken = Take();
  EXPECT_THAT(Shown(taken), ElementsAre("b[0..1)"));
  ASSERT_EQ(taken.dropped.size(), 1);
  EXPECT_EQ(taken.dropped[0].images, 2);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(a.outcomes[0].log_probabilities, IsEmpty());
  EXPECT_EQ(a.outcomes[0].timing.queue, absl::Milliseconds(5));
  EXPECT_EQ(a.outcomes[0].timing.compute, absl::ZeroDuration());
  EXPECT_EQ(a.outcomes[0].timing.largest_batch, 0);
}

TEST_F(BatchQueueTest, ExpiredRequestDeepInTheQueueIsDroppedAtTheNextTake) {
  Push(6);
  Named& b = Push(4, now_ + absl::Milliseconds(5));
  now_ += absl::Milliseconds(5);
  Take();
  EXPECT_EQ(b.outcomes.size(), 1);
  EXPECT_EQ(queue_->queued_images(), 2);
}

TEST_F(BatchQueueTest, CancelledRequestIsDroppedBeforeComputeAndTakesNoRoomInTheBatch) {
  Named& a = Push(3);
  Push(4);
  a.Cancel();
  EXPECT_THAT(Shown(Take()), ElementsAre("b[0..4)"));
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kCancelled);
}

TEST_F(BatchQueueTest, RemainderOfACancelledJobIsDroppedAndTheJobEndsWhenItsSlicesAreBack) {
  Named& a = Push(10);
  const BatchQueue::Taken first = Take(), second = Take();
  a.Cancel();
  const BatchQueue::Taken third = Take();
  EXPECT_THAT(third.slices, IsEmpty());
  ASSERT_EQ(third.dropped.size(), 1);
  EXPECT_EQ(third.dropped[0].images, 2);
  EXPECT_EQ(third.dropped[0].finished, nullptr);
  EXPECT_TRUE(queue_->empty());
  Finish(second);
  EXPECT_THAT(a.outcomes, IsEmpty());
  now_ += absl::Milliseconds(1);
  Finish(first);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(a.outcomes[0].log_probabilities, IsEmpty());
  EXPECT_EQ(a.outcomes[0].timing.compute, absl::Milliseconds(1));
}

TEST_F(BatchQueueTest, RemainderOfAnExpiredJobIsDroppedAtOnceIfNoSliceIsOut) {
  Named& a = Push(6, now_ + absl::Milliseconds(5));
  Finish(Take());
  now_ += absl::Milliseconds(5);
  Take();
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatchQueueTest, JobThatIsWhollyInEnginesIsNoLongerDropped) {
  Named& a = Push(2, now_ + absl::Milliseconds(5));
  const BatchQueue::Taken batch = Take();
  a.Cancel();
  now_ += absl::Milliseconds(9);
  EXPECT_THAT(Take().dropped, IsEmpty());
  EXPECT_THAT(a.outcomes, IsEmpty());
  Finish(batch);
  EXPECT_EQ(a.outcomes.at(0).status.message(),
            "the deadline passed while the request was computed");
}

TEST_F(BatchQueueTest, EngineFailureFailsEveryJobOfTheBatchAndDropsTheirRemainders) {
  Named& a = Push(1);
  Named& b = Push(8);
  Named& c = Push(1);
  const BatchQueue::Taken batch = Take();
  Finish(batch, absl::UnknownError("not finite"));
  for (const Named* failed : {&a, &b}) {
    ASSERT_EQ(failed->outcomes.size(), 1);
    EXPECT_EQ(failed->outcomes[0].status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(failed->outcomes[0].status.message()), HasSubstr("not finite"));
    EXPECT_THAT(failed->outcomes[0].log_probabilities, IsEmpty());
  }
  EXPECT_EQ(queue_->queued_images(), 1);
  Finish(Take());
  EXPECT_TRUE(c.outcomes.at(0).status.ok());
}

TEST_F(BatchQueueTest, EngineFailureOfOneSliceWaitsForTheOthers) {
  Named& a = Push(8);
  const BatchQueue::Taken first = Take(), second = Take();
  Finish(first, absl::InternalError("boom"));
  EXPECT_THAT(a.outcomes, IsEmpty());
  Finish(second);
  ASSERT_EQ(a.outcomes.size(), 1);
  EXPECT_EQ(a.outcomes[0].status.code(), absl::StatusCode::kInternal);
}

TEST_F(BatchQueueTest, EngineFailureTellsWhatItDropped) {
  Named& a = Push(6);
  Finish(Take(), absl::InternalError("boom"));
  ASSERT_EQ(dropped_by_failure_.size(), 1);
  EXPECT_EQ(dropped_by_failure_[0].images, 2);
  EXPECT_EQ(dropped_by_failure_[0].reason, absl::StatusCode::kInternal);
  EXPECT_EQ(dropped_by_failure_[0].finished, nullptr);
  EXPECT_EQ(a.outcomes.size(), 1);
}

TEST_F(BatchQueueTest, ComputedCountsTheImagesOfBatchesThatSucceeded) {
  Named& a = Push(8);
  const BatchQueue::Taken first = Take(), second = Take();
  Finish(first);
  EXPECT_EQ(a.computed(), 4);
  Finish(second, absl::InternalError("boom"));
  EXPECT_EQ(a.computed(), 4);
}

TEST_F(BatchQueueTest, FullBatchIsReleasedAsFullAndALesserOneAsIdle) {
  Push(6);
  EXPECT_EQ(Take().reason, Release::kFull);
  EXPECT_EQ(Take().reason, Release::kIdle);
}

TEST_F(BatchQueueTest, DrainReleasesWhatIsNotFull) {
  Push(6);
  queue_->Drain();
  EXPECT_EQ(Take().reason, Release::kFull);
  EXPECT_EQ(Take().reason, Release::kDrain);
}

}  // namespace
}  // namespace hellocnn::server
