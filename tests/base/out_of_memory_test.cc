#include "base/out_of_memory.h"

#include <sys/resource.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace hellocnn {
namespace {

#ifndef HELLOCNN_SANITIZED  // whose allocators have limits and messages of their own

// Takes memory on another thread until there is none.
void TakeAll() {
  ExitWhenOutOfMemory("program", "buy some");
  const rlimit limit = {.rlim_cur = std::size_t{1} << 30, .rlim_max = std::size_t{1} << 30};
  setrlimit(RLIMIT_AS, &limit);
  std::thread([] {
    std::vector<std::unique_ptr<char[]>> taken;
    while (true) taken.push_back(std::make_unique<char[]>(1 << 20));
  }).join();
}

TEST(OutOfMemoryDeathTest, IsSaidAndIsAFailure) {
  EXPECT_EXIT(TakeAll(), ::testing::ExitedWithCode(1), "^program: out of memory; buy some\n$");
}

#endif

}  // namespace
}  // namespace hellocnn
