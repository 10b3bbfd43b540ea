// How long the queue waits for company, and when it does not.
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

class BatchQueueDelayTest : public BatchQueueTest {
 protected:
  BatchQueueDelayTest() {
    Make({.max_batch_size = 4, .capacity = 10, .max_delay = absl::Milliseconds(2)});
  }
};

TEST_F(BatchQueueDelayTest, WaitsForCompanyUntilTheOldestHasWaitedMaxDelay) {
  Push(1);
  const Instant release = now_ + absl::Milliseconds(2);
  now_ += absl::Milliseconds(1);
  Push(1);
  EXPECT_EQ(Take().ask_again, release);
  now_ = release - absl::Nanoseconds(1);
  EXPECT_THAT(Take().slices, IsEmpty());
  now_ = release;
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..1)", "b[0..1)"));
}

TEST_F(BatchQueueDelayTest, FullBatchDoesNotWait) {
  Push(3);
  EXPECT_THAT(Take().slices, IsEmpty());
  Push(1);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..3)", "b[0..1)"));
}

TEST_F(BatchQueueDelayTest, JobWhoseDeadlineFallsBeforeTheDelayEndsIsReleasedAtOnce) {
  Push(1);
  EXPECT_THAT(Take().slices, IsEmpty());
  Push(1, now_ + absl::Milliseconds(1));
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..1)", "b[0..1)"));
}

TEST_F(BatchQueueDelayTest, LaterDeadlineDoesNotShortenTheWait) {
  Push(1, now_ + absl::Milliseconds(3));
  EXPECT_EQ(Take().ask_again, now_ + absl::Milliseconds(2));
}

TEST_F(BatchQueueDelayTest, DrainReleasesAtOnceAndRefusesFurtherJobs) {
  Push(1);
  queue_->Drain();
  EXPECT_EQ(Push(1).pushed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Shown(Take()), ElementsAre("a[0..1)"));
  EXPECT_TRUE(queue_->empty());
}

TEST_F(BatchQueueDelayTest, BatchThatWaitedIsReleasedForTheDelay) {
  Push(1);
  now_ += absl::Milliseconds(2);
  EXPECT_EQ(Take().reason, Release::kDelay);
}

TEST_F(BatchQueueDelayTest, FullBatchIsReleasedAsFullHoweverLongItWaited) {
  Push(4);
  now_ += absl::Milliseconds(2);
  EXPECT_EQ(Take().reason, Release::kFull);
}

TEST_F(BatchQueueDelayTest, BatchThatCannotAffordTheWaitIsReleasedAsIdle) {
  Push(1, now_ + absl::Milliseconds(1));
  EXPECT_EQ(Take().reason, Release::kIdle);
}

TEST_F(BatchQueueDelayTest, DrainEndsTheWait) {
  Push(1);
  queue_->Drain();
  EXPECT_EQ(Take().reason, Release::kDrain);
}

TEST(BatchQueueOptionsTest, OptionOutOfRangeIsRefusedByName) {
  const auto message = [](const BatchQueue::Options& options) {
    const absl::Status status = BatchQueue::Validate(options);
    return std::string(status.message());
  };
  EXPECT_EQ(message({}), "");
  EXPECT_THAT(message({.max_batch_size = 0}), HasSubstr("max_batch_size is 0"));
  EXPECT_THAT(message({.capacity = -1}), HasSubstr("capacity is -1"));
  EXPECT_THAT(message({.max_delay = absl::Seconds(-1)}), HasSubstr("max_delay is -1s"));
  EXPECT_THAT(message({.max_delay = absl::InfiniteDuration()}), HasSubstr("max_delay is inf"));
}

}  // namespace
}  // namespace hellocnn::server
