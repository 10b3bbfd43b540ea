#include "client/image_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Instant kNow = Instant() + absl::Seconds(1000);

std::shared_ptr<PendingImage> Pending(int level, Instant deadline = Instant::InfiniteFuture()) {
  return std::make_shared<PendingImage>(Uniform(static_cast<std::uint8_t>(level)), deadline);
}

// Returns the grey levels of the images, in their order.
std::vector<int> Levels(const ImageQueue::Images& images) {
  std::vector<int> levels;
  for (const auto& image : images)
    levels.push_back(static_cast<unsigned char>(image->image.bytes()[0]));
  return levels;
}

void Push(ImageQueue& queue, int first, int last) {
  for (int level = first; level <= last; ++level)
    EXPECT_TRUE(queue.Push(Pending(level)).ok()) << level;
}

TEST(ImageQueue, GivesOneImageOutAtOnceIfNoCallIsUnderWay) {
  ImageQueue queue({.max_batch_size = 8, .max_calls_in_flight = 1});
  Push(queue, 1, 1);
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(1));
}

TEST(ImageQueue, GivesNothingWhileAllCallsAreUnderWay) {
  ImageQueue queue({.max_batch_size = 8, .max_calls_in_flight = 2});
  Push(queue, 1, 1);
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(1));
  Push(queue, 2, 2);
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(2));
  Push(queue, 3, 5);
  EXPECT_THAT(queue.Take(kNow).batch, IsEmpty());
  queue.OnCallEnd();
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(3, 4, 5));
  EXPECT_THAT(queue.Take(kNow).batch, IsEmpty());
}

TEST(ImageQueue, FillsBatchesInOrderOfArrival) {
  ImageQueue queue({.max_batch_size = 3, .max_calls_in_flight = 3});
  Push(queue, 1, 7);
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(1, 2, 3));
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(4, 5, 6));
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(7));
}

TEST(ImageQueue, AskingForNothingCostsNoCall) {
  ImageQueue queue({.max_calls_in_flight = 1});
  EXPECT_THAT(queue.Take(kNow).batch, IsEmpty());
  EXPECT_THAT(queue.Take(kNow).batch, IsEmpty());
  Push(queue, 1, 1);
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(1));
}

TEST(ImageQueue, ExpiredImagesAreNotSentAndTakeNoRoom) {
  ImageQueue queue({.max_batch_size = 2, .max_calls_in_flight = 1});
  EXPECT_TRUE(queue.Push(Pending(1, kNow)).ok());
  EXPECT_TRUE(queue.Push(Pending(2, kNow + absl::Nanoseconds(1))).ok());
  EXPECT_TRUE(queue.Push(Pending(3, kNow - absl::Seconds(1))).ok());
  EXPECT_TRUE(queue.Push(Pending(4)).ok());
  const ImageQueue::Taken taken = queue.Take(kNow);
  EXPECT_THAT(Levels(taken.batch), ElementsAre(2, 4));
  EXPECT_THAT(Levels(taken.expired), ElementsAre(1, 3));
}

TEST(ImageQueue, OnlyExpiredImagesCostNoCall) {
  ImageQueue queue({.max_calls_in_flight = 1});
  EXPECT_TRUE(queue.Push(Pending(1, kNow)).ok());
  const ImageQueue::Taken taken = queue.Take(kNow);
  EXPECT_THAT(taken.batch, IsEmpty());
  EXPECT_THAT(Levels(taken.expired), ElementsAre(1));
  EXPECT_TRUE(queue.idle());
}

TEST(ImageQueue, RefusesWhatIsBeyondItsCapacity) {
  ImageQueue queue({.max_batch_size = 2, .max_calls_in_flight = 1, .queue_capacity = 3});
  Push(queue, 1, 3);
  const absl::Status refused = queue.Push(Pending(4));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("3 images wait"));
  EXPECT_THAT(Levels(queue.Take(kNow).batch), ElementsAre(1, 2));
  Push(queue, 5, 6);
}

TEST(ImageQueue, IsIdleWhenNothingWaitsAndNothingIsOut) {
  ImageQueue queue({.max_calls_in_flight = 1});
  EXPECT_TRUE(queue.idle());
  Push(queue, 1, 1);
  EXPECT_FALSE(queue.idle());
  (void)queue.Take(kNow);
  EXPECT_FALSE(queue.idle());
  queue.OnCallEnd();
  EXPECT_TRUE(queue.idle());
}

TEST(ImageQueue, BadOptionsAreRefusedByName) {
  EXPECT_TRUE(ImageQueue::Validate({1, 1, 1}).ok());
  EXPECT_THAT(std::string(ImageQueue::Validate({0, 1, 1}).message()),
              HasSubstr("max_batch_size is 0"));
  EXPECT_THAT(std::string(ImageQueue::Validate({1, -2, 1}).message()),
              HasSubstr("max_calls_in_flight is -2"));
  EXPECT_THAT(std::string(ImageQueue::Validate({1, 1, 0}).message()),
              HasSubstr("queue_capacity is 0"));
}

}  // namespace
}  // namespace hellocnn::client
