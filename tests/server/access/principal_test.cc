#include "server/access/principal.h"

#include <gmock/gmock.h>

#include "base/error_details.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

constexpr Instant kBegin;

Instant At(double seconds) { return kBegin + absl::Seconds(seconds); }

Principal Named(std::set<Right> rights, std::vector<std::string> models) {
  return {"shop", std::move(rights), std::move(models),
          std::make_shared<Budget>(Allowance{}, kBegin)};
}

TEST(PrincipalTest, HasTheRightsThatItWasGiven) {
  const Principal principal = Named({Right::kClassify, Right::kObserve}, {});
  EXPECT_TRUE(principal.CheckRight(Right::kNone).ok());
  EXPECT_TRUE(principal.CheckRight(Right::kClassify).ok());
  EXPECT_TRUE(principal.CheckRight(Right::kObserve).ok());
  const absl::Status status = principal.CheckRight(Right::kAdmin);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("shop"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("the right admin"));
}

TEST(PrincipalTest, UsesModelsByNameOrByTheBeginningOfTheirNames) {
  EXPECT_TRUE(Named({}, {}).MayUse("mnist"));
  const Principal some = Named({}, {"mnist", "letters-*"});
  EXPECT_TRUE(some.MayUse("mnist"));
  EXPECT_TRUE(some.MayUse("letters-"));
  EXPECT_TRUE(some.MayUse("letters-big"));
  for (const char* other : {"", "mnist2", "mnis", "letters", "MNIST"}) {
    EXPECT_FALSE(some.MayUse(other)) << other;
    EXPECT_EQ(some.CheckModel(other).code(), absl::StatusCode::kPermissionDenied);
  }
}

TEST(PrincipalTest, NumberIsThatOfTheName) {
  EXPECT_EQ(Named({}, {}).number(), Named({Right::kAdmin}, {"x"}).number());
}

TEST(BudgetTest, WithoutLimitsItNeverEnds) {
  Budget budget({}, kBegin);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.Take(1 << 30, kBegin).ok());
}

TEST(BudgetTest, RateAllowsABurstAndThenItself) {
  Budget budget({.images_per_second = 10, .burst_images = 20, .images_per_day = {}}, kBegin);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.Take(1, kBegin).ok()) << i;
  EXPECT_EQ(budget.Take(1, kBegin).code(), absl::StatusCode::kResourceExhausted);
  // Ten seconds later there is no more than the burst again.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.Take(1, At(10)).ok()) << i;
  EXPECT_FALSE(budget.Take(1, At(10)).ok());
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += budget.Take(1, At(10 + i * 0.01)).ok() ? 1 : 0;
  EXPECT_NEAR(taken, 100, 2);
}

TEST(BudgetTest, LargeRequestIsOwed) {
  Budget budget({.images_per_second = 10, .burst_images = {}, .images_per_day = {}}, kBegin);
  EXPECT_TRUE(budget.Take(1000, kBegin).ok());
  const absl::Status rejected = budget.Take(1, kBegin);
  EXPECT_EQ(rejected.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(rejected.message()), HasSubstr("10 images a second"));
  ASSERT_TRUE(RetryAfter(rejected).has_value());
  const double wait = absl::ToDoubleSeconds(*RetryAfter(rejected));
  EXPECT_NEAR(wait, 99.1, 0.01);
  EXPECT_FALSE(budget.Take(1, At(wait - 0.1)).ok());
  EXPECT_TRUE(budget.Take(1, At(wait + 0.001)).ok());
}

TEST(BudgetTest, QuotaComesBackOverTheDay) {
  Budget budget({.images_per_second = {}, .burst_images = {}, .images_per_day = 86400}, kBegin);
  EXPECT_TRUE(budget.Take(86400, kBegin).ok());
  const absl::Status rejected = budget.Take(1, kBegin);
  EXPECT_THAT(std::string(rejected.message()), HasSubstr("86400 images a day"));
  EXPECT_TRUE(budget.Take(3600, At(3600)).ok());
  EXPECT_FALSE(budget.Take(1, At(3600)).ok());
}

TEST(BudgetTest, WhatTheRateRefusesCostsNoQuota) {
  Budget budget({.images_per_second = 1, .burst_images = 1, .images_per_day = 3}, kBegin);
  EXPECT_TRUE(budget.Take(1, kBegin).ok());
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(std::string(budget.Take(1, kBegin).message()), HasSubstr("a second"));
  }
  EXPECT_TRUE(budget.Take(1, At(1.1)).ok());
  EXPECT_TRUE(budget.Take(1, At(2.2)).ok());
  EXPECT_THAT(std::string(budget.Take(1, At(3.3)).message()), HasSubstr("a day"));
}

TEST(BudgetTest, GivenBackImagesCanBeTakenAgain) {
  Budget budget({.images_per_second = 1, .burst_images = 5, .images_per_day = 5}, kBegin);
  EXPECT_TRUE(budget.Take(5, kBegin).ok());
  EXPECT_FALSE(budget.Take(1, kBegin).ok());
  budget.GiveBack(5);
  EXPECT_TRUE(budget.Take(5, kBegin).ok());
}

}  // namespace
}  // namespace hellocnn::server
