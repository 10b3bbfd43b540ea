#include "server/observability/prometheus/id_table.h"

#include <atomic>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

TEST(IdTableTest, RowsKeepTheirPlaceAndValueWhileItGrows) {
  IdTable<std::string> table;
  EXPECT_EQ(table.Add("0"), 0u);
  const std::string* const first = &table[0];
  for (std::size_t i = 1; i < 5000; ++i) EXPECT_EQ(table.Add(std::to_string(i)), i);
  EXPECT_EQ(table.size(), 5000u);
  EXPECT_EQ(&table[0], first);
  for (std::size_t i = 0; i < 5000; ++i) ASSERT_EQ(table[i], std::to_string(i));
}

TEST(IdTableTest, RowsCanBeReadWhileOthersAreAdded) {
  constexpr std::size_t kRows = 20'000;
  IdTable<std::size_t> table;
  std::atomic<std::size_t> added = 0;
  std::thread reader([&] {
    for (std::size_t seen = 0; seen < kRows; seen = added) {
      for (std::size_t i = seen / 2; i < seen; ++i) ASSERT_EQ(table[i], i * 3);
    }
  });
  for (std::size_t i = 0; i < kRows; ++i) {
    table.Add(i * 3);
    added = i + 1;
  }
  reader.join();
}

}  // namespace
}  // namespace hellocnn::server
