// Which jobs the queue rejects or drops because they would be too late.
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduling/batch_queue_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Batches of 4 images, of which one is taken each 4 ms, and computed in 3 ms.
class BatchQueueForesightTest : public BatchQueueTest {
 protected:
  BatchQueueForesightTest() {
    Make({.max_batch_size = 4, .capacity = 100});
    Push(4);
    Push(4);
    Finish(Take());
    now_ += absl::Milliseconds(4);
    Finish(Take());
    queue_->OnComputed(4, absl::Milliseconds(3));
  }

  Instant In(int milliseconds) { return now_ + absl::Milliseconds(milliseconds); }
};

TEST_F(BatchQueueForesightTest, RejectsWhatWouldBeTooLate) {
  Push(8);
  // 12 ms until 12 images are taken, 3 to compute the last, and 3 that it may have waited before.
  const absl::Status late = Push(4, In(17)).pushed;
  EXPECT_EQ(late.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(late.message()),
              HasSubstr("8 images wait before this request, which would take 18ms, and its "
                        "deadline is in 17ms"));
  EXPECT_EQ(RetryAfter(late), absl::Milliseconds(1));
  EXPECT_TRUE(Push(4, In(18)).pushed.ok());
}

TEST_F(BatchQueueForesightTest, AdmitsWhatHasNoDeadline) {
  Push(80);
  EXPECT_TRUE(Push(4).pushed.ok());
}

TEST_F(BatchQueueForesightTest, AdmitsWhateverComesToAnEmptyQueue) {
  EXPECT_TRUE(Push(4, In(1)).pushed.ok());
  EXPECT_THAT(Shown(Take()), ElementsAre("c[0..4)"));
}

TEST_F(BatchQueueForesightTest, RejectsNothingBeforeTheFirstBatch) {
  Make({.max_batch_size = 4, .capacity = 100});
  Push(50);
  EXPECT_TRUE(Push(4, In(1)).pushed.ok());
}

TEST_F(BatchQueueForesightTest, FullQueueSaysWhenThereWillBeRoom) {
  Push(96);
  EXPECT_EQ(RetryAfter(Push(4).pushed), std::nullopt);
  EXPECT_EQ(RetryAfter(Push(4).pushed), absl::Milliseconds(4));
  EXPECT_EQ(RetryAfter(Push(8).pushed), absl::Milliseconds(8));
}

TEST_F(BatchQueueForesightTest, FullQueueOfUnknownPaceSaysTheUsual) {
  Make({.max_batch_size = 4, .capacity = 10});
  Push(10);
  EXPECT_EQ(RetryAfter(Push(1).pushed), absl::Milliseconds(100));
}

TEST_F(BatchQueueForesightTest, NobodyIsToldToWaitForHours) {
  Push(96);
  Take();
  now_ += absl::Hours(2);
  Take();
  Push(12);
  EXPECT_EQ(RetryAfter(Push(4).pushed), absl::Seconds(10));
}

TEST_F(BatchQueueForesightTest, DropsWhatCannotBeComputedInTimeWhileOthersWait) {
  Named& hopeless = Push(4, In(1));
  Push(4);
  Push(4);
  now_ += absl::Milliseconds(2) / 4;
  EXPECT_THAT(Shown(Take()), ElementsAre("d[0..4)"));
  ASSERT_EQ(hopeless.outcomes.size(), 1U);
  EXPECT_EQ(
      hopeless.outcomes[0].status,
      absl::DeadlineExceededError("the deadline left too little time to compute the request"));
}

TEST_F(BatchQueueForesightTest, ComputesTheLastBatchHoweverHopelessItSeems) {
  Named& last = Push(4, In(1));
  EXPECT_THAT(Shown(Take()), ElementsAre("c[0..4)"));
  EXPECT_THAT(last.outcomes, IsEmpty());
}

TEST_F(BatchQueueForesightTest, ResultThatComesTooLateIsNone) {
  Named& late = Push(4, In(3));
  const BatchQueue::Taken batch = Take();
  now_ += absl::Milliseconds(3);
  Finish(batch);
  ASSERT_EQ(late.outcomes.size(), 1U);
  EXPECT_EQ(late.outcomes[0].status,
            absl::DeadlineExceededError("the deadline passed while the request was computed"));
  EXPECT_EQ(late.computed(), 4);
}

}  // namespace
}  // namespace hellocnn::server
