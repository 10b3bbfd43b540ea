#include "loadgen/core/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Generator, IsNotBlamedWithoutReason) {
  Outcome outcome;
  outcome.open_loop = true;
  outcome.total.by_code[0] = 1000;
  outcome.total.late = 9;
  outcome.total.held = 900;
  outcome.cost = {0.8, 1, 2, 0.7};
  EXPECT_THAT(JudgeGenerator(outcome), IsEmpty());
}

TEST(Generator, IsBlamedForLateSendsAndForFullCpus) {
  Outcome outcome;
  outcome.open_loop = true;
  outcome.total.by_code[0] = 1000;
  outcome.total.late = 30;
  EXPECT_THAT(JudgeGenerator(outcome), ElementsAre(HasSubstr("3.00% of the requests")));
  outcome.total.late = 0;
  outcome.cost = {1.9, 1, 2, 0.95};
  EXPECT_THAT(JudgeGenerator(outcome),
              ElementsAre(HasSubstr("--threads"), HasSubstr("95.00% of the CPUs")));
}

}  // namespace
}  // namespace hellocnn::load
