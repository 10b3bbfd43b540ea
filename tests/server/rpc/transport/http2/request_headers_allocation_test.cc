#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "server/rpc/transport/http2/request_headers.h"
#include "tests/testing/count_allocations.h"

namespace hellocnn::server {
namespace {

// Returns how many allocations a header costs a call that follows another call with the same one.
std::int64_t AllocationsOfNextCall(std::string_view name, std::size_t size) {
  const std::string value(size, 'x');
  RequestHeaders headers;
  headers.Add(name, value);
  headers.Clear();
  const std::int64_t before = testing::Allocations();
  headers.Add(name, value);
  return testing::Allocations() - before;
}

TEST(RequestHeadersAllocation, ThereAreNoneForHeadersAsTheyAre) {
  for (const char* name : {":method", ":path", "content-type", "key"}) {
    EXPECT_EQ(AllocationsOfNextCall(name, 200), 0) << name;
  }
}

TEST(RequestHeadersAllocation, LargeHeadersLeaveNoMemoryToTheNextCall) {
  for (const char* name : {":method", ":path", "content-type", "key"}) {
    EXPECT_GT(AllocationsOfNextCall(name, 5000), 0) << name;
  }
}

}  // namespace
}  // namespace hellocnn::server
