#include "cli/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace hellocnn::cli {
namespace {

TEST(Interrupt, EachOneBeginsAnew) {
  for (int round = 0; round < 3; ++round) {
    const Interrupt interrupt;
    EXPECT_FALSE(interrupt.happened().load());
    std::raise(SIGTERM);
    EXPECT_TRUE(interrupt.happened().load());
  }
}

}  // namespace
}  // namespace hellocnn::cli
