#include "server/scheduling/fifo_order.h"

#include "gtest/gtest.h"
#include "tests/server/scheduling/order_fixture.h"

namespace hellocnn::server {
namespace {

using FifoOrderTest = OrderTest<FifoOrder>;

TEST_F(FifoOrderTest, TakesJobsInTheOrderOfArrivalWhoeverSentThem) {
  Add('A', 5);
  Add('A', 20, Priority::kLow);
  Add('B', 1);
  EXPECT_EQ(Take(8), "A5 a3");
  Add('C', 1);
  EXPECT_EQ(Take(30), "a17 B1 C1");
  EXPECT_EQ(order_.Next().job, nullptr);
}

TEST_F(FifoOrderTest, RemovedJobIsSkipped) {
  Waiting& first = Add('A', 5);
  Waiting& second = Add('A', 2);
  Add('A', 3);
  Take(1);
  order_.Remove(&second);
  EXPECT_EQ(second.queued, 0);
  order_.Remove(&first);
  EXPECT_EQ(order_.ImagesBefore(JobOf('B', 1)), 3);
  EXPECT_EQ(Take(9), "A3");
}

TEST_F(FifoOrderTest, AllImagesComeBeforeANewcomer) {
  Add('A', 5);
  Add('B', 2, Priority::kLow);
  Take(1);
  EXPECT_EQ(order_.ImagesBefore(JobOf('C', 1)), 6);
}

TEST_F(FifoOrderTest, DisplacesNobody) {
  Add('A', 5);
  Add('A', 90, Priority::kLow);
  EXPECT_EQ(order_.ToDisplace(JobOf('B', 1), 1), nullptr);
}

}  // namespace
}  // namespace hellocnn::server
