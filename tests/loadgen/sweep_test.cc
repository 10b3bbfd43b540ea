#include "loadgen/run/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Sweep, IsOneNumberOrMany) {
  EXPECT_THAT(*ParseSweep("12", 100), ElementsAre(12));
  EXPECT_THAT(*ParseSweep("1:64:x2", 100), ElementsAre(1, 2, 4, 8, 16, 32, 64));
  EXPECT_THAT(*ParseSweep("1:60:x2", 100), ElementsAre(1, 2, 4, 8, 16, 32));
  EXPECT_THAT(*ParseSweep("1000:3500:+1000", 1e6), ElementsAre(1000, 2000, 3000));
  EXPECT_THAT(*ParseSweep("0.1:0.3:+0.1", 1),
              ElementsAre(0.1, DoubleNear(0.2, 1e-12), DoubleNear(0.3, 1e-12)));
  EXPECT_THAT(*ParseSweep("5:5:+1", 100), ElementsAre(5));
}

TEST(Sweep, RefusesWhatMakesNoSense) {
  for (const char* bad : {"", "x", "0", "-3", "101", "nan", "1:64", "1:64:2", "1:64:x", "1:64:x1",
                          "1:64:x0.5", "1:64:+0", "64:1:x2", "1:101:x2", "1:64:x2:3", "1:2:xnan"}) {
    EXPECT_EQ(ParseSweep(bad, 100).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_THAT(ParseSweep("1:100000:+1", 1e6).status().message(), HasSubstr("more than 1000"));
}

}  // namespace
}  // namespace hellocnn::load
