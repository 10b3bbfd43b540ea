#include "base/threads.h"

#include <sys/resource.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ThreadsTest, ThreadsThatMayStartAreNoError) {
  EXPECT_TRUE(CheckThreads(0).ok());
  EXPECT_TRUE(CheckThreads(20).ok());
}

#ifndef HELLOCNN_SANITIZED  // sanitizers need more address space than that
TEST(ThreadsTest, TooLittleAddressSpaceIsSaid) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit little{.rlim_cur = rlim_t{512} << 20, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
  const absl::Status status = CheckThreads(1000);  // of 8 MiB each
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("1000 threads, only "), HasSubstr("ulimit -v")));
  EXPECT_TRUE(CheckThreads(20).ok());
}
#endif

}  // namespace
}  // namespace hellocnn
