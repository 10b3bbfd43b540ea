#include "server/rpc/transport/http2/timer_heap.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

struct Item : Timer {};

Instant At(int seconds) { return Instant() + absl::Seconds(seconds); }
const Instant kNever = Instant::InfiniteFuture();

TEST(TimerHeap, IsEmptyAtFirst) {
  const TimerHeap<Item> heap;
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(heap.first(), nullptr);
  EXPECT_EQ(heap.first_time(), kNever);
}

TEST(TimerHeap, TakesOutWhatIsSetToNever) {
  TimerHeap<Item> heap;
  Item item;
  heap.Set(&item, kNever);  // it is in no heap
  EXPECT_TRUE(heap.empty());
  heap.Set(&item, At(5));
  EXPECT_EQ(heap.first(), &item);
  EXPECT_EQ(heap.first_time(), At(5));
  heap.Set(&item, kNever);
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(item.place, 0U);
  heap.Set(&item, At(6));
  EXPECT_EQ(heap.first_time(), At(6));
  heap.Set(&item, kNever);
}

TEST(TimerHeap, TheEarliestIsFirstWhicheverWayATimerMoves) {
  TimerHeap<Item> heap;
  std::array<Item, 3> items;
  heap.Set(&items[0], At(10));
  heap.Set(&items[1], At(20));
  heap.Set(&items[2], At(30));
  EXPECT_EQ(heap.first(), &items[0]);
  heap.Set(&items[2], At(5));
  EXPECT_EQ(heap.first(), &items[2]);
  heap.Set(&items[2], At(25));
  EXPECT_EQ(heap.first(), &items[0]);
  heap.Set(&items[0], kNever);
  EXPECT_EQ(heap.first(), &items[1]);
  EXPECT_EQ(heap.first_time(), At(20));
}

TEST(TimerHeap, InThePastIsATimeToo) {
  TimerHeap<Item> heap;
  std::array<Item, 2> items;
  heap.Set(&items[0], Instant());
  heap.Set(&items[1], Instant::InfinitePast());
  EXPECT_EQ(heap.first(), &items[1]);
}

TEST(TimerHeap, TimersAtTheSameTimeAllComeOut) {
  TimerHeap<Item> heap;
  std::array<Item, 9> items;
  for (Item& item : items) heap.Set(&item, At(1));
  for (std::size_t left = items.size(); left > 0; --left) {
    ASSERT_FALSE(heap.empty());
    EXPECT_EQ(heap.first_time(), At(1));
    heap.Set(heap.first(), kNever);
  }
  EXPECT_TRUE(heap.empty());
}

// Against a list that is searched from end to end.
TEST(TimerHeap, AgreesWithASimpleListWhateverIsSet) {
  std::mt19937 random(7);
  std::array<Item, 40> items;
  TimerHeap<Item> heap;
  for (int step = 0; step < 20000; ++step) {
    const int time = static_cast<int>(random() % 100);
    heap.Set(&items[random() % items.size()], time < 20 ? kNever : At(time));
    const auto earliest = std::min_element(
        items.begin(), items.end(), [](const Item& a, const Item& b) { return a.time < b.time; });
    ASSERT_EQ(heap.first_time(), earliest->time) << step;
    ASSERT_EQ(heap.empty(), earliest->time == kNever);
    if (heap.empty()) continue;
    ASSERT_EQ(heap.first()->time, earliest->time);
  }
}

}  // namespace
}  // namespace hellocnn::server
