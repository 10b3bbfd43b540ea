#include "server/serving/batch_reporter.h"

#include <cstddef>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduling/job.h"
#include "tests/testing/recording_events.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WhiteImages : public Job {
 public:
  WhiteImages(std::size_t count, const std::byte* white, Instant deadline)
      : images_(count, {PixelFormat::kGray8, white}), log_probabilities_(count * 10) {
    Prepare(images_, log_probabilities_, deadline);
  }
  void OnFinished() override {}

 private:
  const std::vector<ImageView> images_;
  std::vector<float> log_probabilities_;
};

class BatchReporterTest : public ::testing::Test {
 protected:
  Job* Push(int images, Instant deadline = Instant::InfiniteFuture()) {
    jobs_.push_back(
        std::make_unique<WhiteImages>(static_cast<std::size_t>(images), white_.data(), deadline));
    EXPECT_TRUE(queue_.Push(jobs_.back().get(), start_).ok());
    return jobs_.back().get();
  }
  // What the queue gives out 250 ms later.
  BatchQueue::Taken Take() { return queue_.Take(start_ + absl::Milliseconds(250), {}); }

  const Instant start_ = Instant() + absl::Seconds(1000);
  const std::vector<std::byte> white_ =
      std::vector<std::byte>(BytesPerImage(PixelFormat::kGray8), std::byte{255});
  std::vector<std::unique_ptr<WhiteImages>> jobs_;
  BatchQueue queue_{{.max_batch_size = 32, .capacity = 1000}};
  testing::RecordingEvents events_{/*accepts=*/false};
  BatchReporter reporter_{{.events = &events_}};
};

TEST_F(BatchReporterTest, BatchHasItsImagesItsReasonAndTheWaitsOfRequestsThatBeginInIt) {
  Push(30);
  Push(4);  // two of its images are in the next batch
  reporter_.OnBatch(Take(), absl::Milliseconds(500));
  EXPECT_EQ(events_.computed(), 32);
  EXPECT_EQ(events_.failed(), 0);
  EXPECT_EQ(events_.compute(), absl::Milliseconds(500));
  EXPECT_THAT(events_.releases(), ElementsAre("full"));
  EXPECT_THAT(events_.waits(), ElementsAre(absl::Milliseconds(250), absl::Milliseconds(250)));

  BatchQueue::Taken rest = Take();
  for (Slice& slice : rest.slices) slice.status = absl::InternalError("");
  reporter_.OnBatch(rest, absl::Milliseconds(1));
  EXPECT_EQ(events_.computed(), 34);
  EXPECT_EQ(events_.failed(), 2);
  EXPECT_THAT(events_.releases(), ElementsAre("full", "idle"));
  EXPECT_EQ(events_.waits().size(), 2U);
  // Each image is measured once.
  ASSERT_EQ(events_.grey_levels().size(), 34U);
  for (const GreyLevels& levels : events_.grey_levels()) {
    EXPECT_DOUBLE_EQ(levels.mean, 1);
    EXPECT_DOUBLE_EQ(levels.contrast, 0);
  }
}

// Each reason of the queue has a label of its own.
TEST_F(BatchReporterTest, ReasonsOfReleaseAreToldApart) {
  for (const Release reason : {Release::kFull, Release::kIdle, Release::kDelay, Release::kDrain}) {
    BatchQueue::Taken batch;
    batch.reason = reason;
    reporter_.OnBatch(batch, absl::ZeroDuration());
  }
  EXPECT_THAT(events_.releases(), ElementsAre("full", "idle", "delay", "drain"));
}

TEST_F(BatchReporterTest, DroppedImagesHaveTheirReasonAndAWaitIfNothingWasTaken) {
  Push(2, start_ + absl::Milliseconds(1));
  Push(3)->Cancel();
  Job* const split = Push(40);
  const BatchQueue::Taken first = Take();
  ASSERT_EQ(first.dropped.size(), 2U);
  for (const BatchQueue::Dropped& dropped : first.dropped) reporter_.OnDropped(dropped);
  EXPECT_EQ(events_.waits().size(), 2U);
  split->Cancel();
  for (const BatchQueue::Dropped& dropped : Take().dropped) reporter_.OnDropped(dropped);
  EXPECT_EQ(events_.dropped("deadline"), 2);
  EXPECT_EQ(events_.dropped("cancelled"), 11);
  EXPECT_EQ(events_.waits().size(), 2U);
}

TEST_F(BatchReporterTest, DisplacedImagesHaveTheirReason) {
  reporter_.OnDropped({.images = 3,
                       .reason = absl::StatusCode::kResourceExhausted,
                       .waited = absl::Milliseconds(1),
                       .finished = nullptr});
  EXPECT_EQ(events_.dropped("displaced"), 3);
}

TEST_F(BatchReporterTest, ImagesDroppedAfterAFailureAreToldAsFailed) {
  Push(40);
  BatchQueue::Taken batch = Take();
  for (Slice& slice : batch.slices) slice.status = absl::InternalError("boom");
  const BatchQueue::Finished finished = queue_.Finish(batch, start_, {});
  ASSERT_EQ(finished.dropped.size(), 1U);
  reporter_.OnDropped(finished.dropped[0]);
  EXPECT_EQ(events_.dropped("failed"), 8);
}

// What nobody reads must cost nothing: these pixels cannot even be read.
TEST(BatchReporterWithoutStatisticsTest, NoPixelIsReadIfNobodyWantsStatistics) {
  class Listener : public IgnoredEvents {
   public:
    void OnBatch(const BatchEnd& batch) override {
      images = batch.images;
      EXPECT_THAT(batch.grey_levels, IsEmpty());
    }
    int images = 0;
  } listener;
  WhiteImages job(3, nullptr, Instant::InfiniteFuture());
  BatchQueue queue({.max_batch_size = 32, .capacity = 1000});
  ASSERT_TRUE(queue.Push(&job, Instant()).ok());
  BatchReporter reporter({.events = &listener});
  reporter.OnBatch(queue.Take(Instant(), {}), absl::ZeroDuration());
  EXPECT_EQ(listener.images, 3);
}

}  // namespace
}  // namespace hellocnn::server
