#include "server/scheduling/fair_order.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "tests/server/scheduling/order_fixture.h"

namespace hellocnn::server {
namespace {

// A queue for 80 images, of which 10 are the share of the low band. Turns of 8 images.
class FairOrderTest : public OrderTest<FairOrder> {
 protected:
  FairOrderTest() : OrderTest(80, 8) {}
};

TEST_F(FairOrderTest, OneCallerIsServedFirstInFirstOut) {
  Add('A', 20);
  Add('A', 2);
  Add('A', 9);
  EXPECT_EQ(Take(32), "A20 A2 A9");
  EXPECT_EQ(order_.Next().job, nullptr);
}

TEST_F(FairOrderTest, CallersTakeTurns) {
  Add('A', 20);
  Add('B', 20);
  Add('C', 3);
  EXPECT_EQ(Take(32), "A8 B8 C3 A8 B5");
  EXPECT_EQ(Take(32), "B3 A4 B4");
}

TEST_F(FairOrderTest, SharesAreOfImagesAndNotOfJobs) {
  Add('A', 400);
  AddMany(400, 'B', 1);
  AddMany(57, 'C', 7);
  for (int batch = 0; batch < 30; ++batch) Take(32);
  EXPECT_EQ(taken('A'), 320);
  EXPECT_EQ(taken('B'), 320);
  EXPECT_EQ(taken('C'), 320);
}

TEST_F(FairOrderTest, NewcomerWaitsForOneTurnOfEachOther) {
  Add('A', 1000);
  Add('B', 1000);
  Take(83);
  Add('C', 1);
  EXPECT_EQ(Take(16), "A5 B8 C1 A2");
}

TEST_F(FairOrderTest, CallerThatIsAloneTakesTheWholeBatchAndOwesNothing) {
  Add('A', 1000);
  EXPECT_EQ(Take(100), "A100");
  Add('B', 20);
  EXPECT_EQ(Take(32), "A8 B8 A8 B8");
}

TEST_F(FairOrderTest, CallerThatLeavesAndReturnsGainsNothing) {
  Add('A', 1000);
  Add('B', 1000);
  Add('C', 2);
  EXPECT_EQ(Take(18), "A8 B8 C2");
  Add('C', 1000);
  EXPECT_EQ(Take(32), "A8 B8 C8 A8");
  // With one image at a time, it never gets more than a turn in a round.
  int others = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string round = Take(8);
    if (round != "C8") ++others;
  }
  EXPECT_GE(others, 66);
}

TEST_F(FairOrderTest, JobThatIsRemovedInItsTurnLeavesTheTurnToItsCaller) {
  Waiting& first = Add('A', 20);
  Add('A', 20);
  Add('B', 20);
  EXPECT_EQ(Take(3), "A3");
  order_.Remove(&first);
  EXPECT_EQ(Take(16), "A5 B8 A3");
}

TEST_F(FairOrderTest, CallerWhoseLastJobIsRemovedInItsTurnLeavesAFullTurnToTheNext) {
  Waiting& only = Add('A', 20);
  Add('B', 20);
  Add('C', 20);
  EXPECT_EQ(Take(3), "A3");
  order_.Remove(&only);
  EXPECT_EQ(Take(20), "B8 C8 B4");
}

TEST_F(FairOrderTest, JobOfAnotherMayBeRemovedDuringATurn) {
  Add('A', 20);
  Waiting& other = Add('B', 20);
  Add('C', 20);
  EXPECT_EQ(Take(3), "A3");
  order_.Remove(&other);
  EXPECT_EQ(Take(16), "A5 C8 A3");
}

TEST_F(FairOrderTest, NormalGoesFirstAndLowGetsAnEighth) {
  Add('A', 1000, Priority::kLow);
  Add('A', 1000);
  Add('B', 1000);
  Take(640);
  EXPECT_EQ(taken('a'), 80);
  EXPECT_EQ(taken('A') + taken('B'), 560);
}

TEST_F(FairOrderTest, LowWaitsForSevenTurnsAtMost) {
  for (const int before : {1, 50, 56, 100}) {
    Add('A', 1000);
    Take(before);
    Add('B', 1, Priority::kLow);
    const std::string taken = Take(57);
    EXPECT_TRUE(taken.find("b1") != std::string::npos) << before << ": " << taken;
  }
}

TEST_F(FairOrderTest, NormalWaitsForOneTurnOfLowAtMost) {
  Add('A', 1000, Priority::kLow);
  Take(100);
  Add('B', 1);
  const std::string taken = Take(9);
  EXPECT_TRUE(taken.find("B1") != std::string::npos) << taken;
}

TEST_F(FairOrderTest, BandThatIsAloneTakesAll) {
  Add('A', 40, Priority::kLow);
  Add('B', 8, Priority::kLow);
  EXPECT_EQ(Take(48), "a8 b8 a32");
}

TEST_F(FairOrderTest, NormalsThatComeAndGoDoNotStarveLow) {
  Add('A', 1000, Priority::kLow);
  for (int batch = 0; batch < 100; ++batch) {
    AddMany(16, 'B', 1);
    AddMany(16, 'C', 1);
    Take(32);
  }
  EXPECT_GE(taken('a'), 3200 / 8 - 8);
  EXPECT_LE(taken('a'), 3200 / 8 + 8);
}

TEST_F(FairOrderTest, OwnImagesAndATurnOfEachOtherComeBeforeANewcomer) {
  EXPECT_EQ(order_.ImagesBefore(JobOf('A', 1)), 0);
  Add('A', 60);
  Add('B', 3);
  EXPECT_EQ(order_.ImagesBefore(JobOf('C', 1)), 8 + 3);
  EXPECT_EQ(order_.ImagesBefore(JobOf('B', 5)), 3 + 8);
  EXPECT_EQ(order_.ImagesBefore(JobOf('B', 6)), 3 + 16);
  EXPECT_EQ(order_.ImagesBefore(JobOf('A', 10)), 60 + 3);
}

TEST_F(FairOrderTest, NoMoreImagesComeBeforeANewcomerThanThereAre) {
  Add('A', 60);
  Add('B', 3, Priority::kLow);
  EXPECT_EQ(order_.ImagesBefore(JobOf('C', 1000)), 63);
}

TEST_F(FairOrderTest, TurnsOfTheOtherBandComeBeforeANewcomer) {
  Add('A', 300);
  Add('B', 300, Priority::kLow);
  EXPECT_EQ(order_.ImagesBefore(JobOf('C', 1)), 8 + 8);
  EXPECT_EQ(order_.ImagesBefore(JobOf('C', 1, Priority::kLow)), 8 + 2 * 56);
}

TEST_F(FairOrderTest, NoMoreImagesComeBeforeANewcomerThanPredicted) {
  std::minstd_rand random(1);
  const auto below = [&random](unsigned bound) { return static_cast<int>(random() % bound); };
  for (int round = 0; round < 2000; ++round) {
    for (int i = below(12); i > 0; --i) {
      Add(static_cast<char>('A' + below(5)), 1 + below(30),
          below(3) == 0 ? Priority::kLow : Priority::kNormal);
    }
    Take(below(100));
    const Waiting job = JobOf(static_cast<char>('A' + below(5)), 1 + below(30),
                              below(3) == 0 ? Priority::kLow : Priority::kNormal);
    const int predicted = order_.ImagesBefore(job);
    Waiting& newcomer = Add(static_cast<char>(job.origin.caller), job.queued, job.origin.priority);
    int before = 0;
    while (newcomer.queued > 0) {
      Waiting* const next = order_.Next().job;
      order_.Take(next, 1);
      if (next != &newcomer) ++before;
    }
    EXPECT_LE(before, predicted) << round;
  }
}

// Fills the queue of 80 images, of which A has most.
class FairOrderFullTest : public FairOrderTest {
 protected:
  FairOrderFullTest() {
    AddMany(10, 'A', 6);
    newest_ = &Add('A', 6);
    AddMany(14, 'B', 1);
  }
  Waiting* newest_;
};

TEST_F(FairOrderFullTest, NewcomerDisplacesTheNewestJobOfTheCallerWithMost) {
  EXPECT_EQ(order_.ToDisplace(JobOf('C', 1), 1), newest_);
  EXPECT_EQ(order_.ToDisplace(JobOf('B', 1), 1), newest_);
  EXPECT_EQ(order_.ToDisplace(JobOf('C', 33), 33), newest_);
}

TEST_F(FairOrderFullTest, CallerWithMostDisplacesNobody) {
  EXPECT_EQ(order_.ToDisplace(JobOf('A', 1), 1), nullptr);
}

TEST_F(FairOrderFullTest, NobodyComesToHaveMoreThanTheOneThatIsDisplaced) {
  EXPECT_EQ(order_.ToDisplace(JobOf('C', 34), 34), nullptr);
  EXPECT_EQ(order_.ToDisplace(JobOf('B', 27), 27), nullptr);
  EXPECT_EQ(order_.ToDisplace(JobOf('B', 26), 26), newest_);
}

TEST_F(FairOrderFullTest, TwoCallersDoNotDisplaceEachOtherInTurn) {
  int displaced = 0;
  for (int i = 0; i < 100; ++i) {
    for (const char caller : {'A', 'B'}) {
      Waiting* const job = order_.ToDisplace(JobOf(caller, 1), 1);
      if (job == nullptr) continue;
      ++displaced;
      order_.Remove(job);
      Add(caller, 1);
    }
  }
  EXPECT_LT(displaced, 10);
}

TEST_F(FairOrderFullTest, StartedJobsStay) {
  FairOrder order(80, 8, &memory_);
  Waiting large = JobOf('A', 80);
  order.Add(&large);
  EXPECT_EQ(order.ToDisplace(JobOf('B', 8), 8), &large);
  order.Take(&large, 8);
  EXPECT_EQ(order.ToDisplace(JobOf('B', 9), 1), nullptr);
}

TEST_F(FairOrderFullTest, LowThatExceedsItsShareMakesRoomForNormal) {
  FairOrder order(80, 8, &memory_);
  Waiting older = JobOf('A', 69, Priority::kLow);
  Waiting newer = JobOf('A', 11, Priority::kLow);
  order.Add(&older);
  order.Add(&newer);
  EXPECT_EQ(order.ToDisplace(JobOf('A', 1), 1), &newer);
  EXPECT_EQ(order.ToDisplace(JobOf('B', 1), 1), &newer);
}

TEST_F(FairOrderFullTest, LowBelowItsShareGetsRoomFromNormal) {
  EXPECT_EQ(order_.ToDisplace(JobOf('A', 10, Priority::kLow), 10), newest_);
  EXPECT_EQ(order_.ToDisplace(JobOf('A', 11, Priority::kLow), 11), nullptr);
}

TEST(FairOrderOfOneImageTest, HasRoomForNormalOnly) {
  std::pmr::unsynchronized_pool_resource memory;
  FairOrder order(1, 1, &memory);
  Waiting low{.origin = {.caller = 1, .priority = Priority::kLow}, .queued = 1};
  order.Add(&low);
  EXPECT_EQ(order.ToDisplace({.origin = {.caller = 1}, .queued = 1}, 1), &low);
  order.Remove(&low);
  Waiting normal{.origin = {.caller = 1}, .queued = 1};
  order.Add(&normal);
  low.queued = 1;
  EXPECT_EQ(order.ToDisplace(low, 1), nullptr);
}

}  // namespace
}  // namespace hellocnn::server
