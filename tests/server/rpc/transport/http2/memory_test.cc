#include "server/rpc/transport/http2/memory.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kSmall = MemoryBudget::kSmallSlab;
constexpr std::size_t kLarge = MemoryBudget::kLargeSlab;
constexpr std::size_t kAll = 1 << 20;
constexpr std::size_t kShared = kAll - kAll / 8;  // the rest is the reserve
constexpr std::size_t kSmallAccount = kAll / 512;
constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();

// A budget that counts how often it was under pressure.
struct Budget {
  explicit Budget(std::size_t bytes = kAll) : memory(bytes, [this] { ++pressure; }) {}

  int pressure = 0;
  MemoryBudget memory;
};

TEST(MemoryAccount, MayTakeAsMuchAsIsThenStillLeft) {
  Budget budget;
  MemoryAccount exact(&budget.memory);
  EXPECT_TRUE(exact.Take(kShared / 2));
  EXPECT_EQ(budget.memory.used(), kShared / 2);
  EXPECT_FALSE(exact.Take(1));
  EXPECT_FALSE(exact.overdrawn());
  exact.Give(kShared / 2);
  EXPECT_FALSE(exact.Take(kShared / 2 + 1));
  EXPECT_EQ(exact.used(), 0U);
  EXPECT_EQ(budget.memory.used(), 0U);
}

TEST(MemoryAccount, TheGreediestIsRefusedFirst) {
  Budget budget;
  MemoryAccount greedy(&budget.memory);
  MemoryAccount modest(&budget.memory);
  EXPECT_TRUE(greedy.Take(kShared / 2));
  EXPECT_FALSE(greedy.Take(kSmall));
  EXPECT_TRUE(modest.Take(kSmall));
  EXPECT_TRUE(greedy.overdrawn());  // there is less left than it has
  EXPECT_FALSE(modest.overdrawn());
  EXPECT_EQ(budget.pressure, 0);
}

TEST(MemoryAccount, SmallAccountsUseTheReserve) {
  Budget budget;
  MemoryAccount greedy(&budget.memory);
  greedy.Charge(kShared);
  MemoryAccount small(&budget.memory);
  EXPECT_TRUE(small.Take(kSmallAccount));
  EXPECT_EQ(budget.pressure, 1);
  EXPECT_FALSE(small.overdrawn());
  EXPECT_FALSE(small.Take(1));
  EXPECT_EQ(budget.pressure, 1);  // it has its part of the reserve, so its refusal is no pressure
  MemoryAccount large(&budget.memory);
  EXPECT_FALSE(large.Take(kSmallAccount + 1));
  EXPECT_EQ(budget.pressure, 2);  // a small account was refused
}

TEST(MemoryAccount, TheReserveHasAnEnd) {
  Budget budget;
  MemoryAccount greedy(&budget.memory);
  greedy.Charge(kAll - 10);
  MemoryAccount small(&budget.memory);
  EXPECT_FALSE(small.Take(11));
  EXPECT_EQ(budget.pressure, 1);
  EXPECT_TRUE(small.Take(10));
  EXPECT_EQ(budget.pressure, 2);
  EXPECT_EQ(budget.memory.used(), kAll);
  EXPECT_FALSE(small.Take(1));
}

TEST(MemoryAccount, ChargeTakesWhateverIsLeft) {
  Budget budget;
  MemoryAccount account(&budget.memory);
  account.Charge(2 * kAll);
  EXPECT_EQ(account.used(), 2 * kAll);
  EXPECT_TRUE(account.overdrawn());
  EXPECT_EQ(budget.pressure, 0);
  account.Give(2 * kAll);
  EXPECT_FALSE(account.overdrawn());
  EXPECT_EQ(budget.memory.used(), 0U);
}

TEST(MemoryAccount, AllAreOverdrawnWhileTheBudgetIsExceeded) {
  Budget budget;
  MemoryAccount greedy(&budget.memory);
  MemoryAccount small(&budget.memory);
  MemoryAccount another(&budget.memory);
  small.Charge(kSmallAccount);
  greedy.Charge(kAll - kSmallAccount);
  EXPECT_TRUE(greedy.overdrawn());
  EXPECT_FALSE(small.overdrawn());
  another.Charge(1);
  EXPECT_TRUE(another.overdrawn());
  EXPECT_TRUE(small.overdrawn());
}

TEST(MemoryAccount, NothingCanAlwaysBeTakenAndTooMuchNever) {
  Budget budget;
  MemoryAccount account(&budget.memory);
  EXPECT_TRUE(account.Take(0));
  for (const std::size_t bytes : {kAll + 1, kHuge / 2, kHuge - 1, kHuge}) {
    EXPECT_FALSE(account.Take(bytes)) << bytes;
  }
  EXPECT_TRUE(account.Take(100));
  for (const std::size_t bytes : {kHuge / 2, kHuge - 99, kHuge}) {
    EXPECT_FALSE(account.Take(bytes)) << bytes;
  }
  EXPECT_EQ(account.used(), 100U);
}

TEST(MemoryAccount, ABudgetOfNothingGivesNothing) {
  Budget budget(0);
  MemoryAccount account(&budget.memory);
  EXPECT_TRUE(account.Take(0));
  EXPECT_FALSE(account.Take(1));
}

TEST(MemoryBudget, HasRoomForConnectionsWithoutTheReserve) {
  Budget budget;
  EXPECT_TRUE(budget.memory.HasRoom(kShared));
  EXPECT_FALSE(budget.memory.HasRoom(kShared + 1));
  EXPECT_FALSE(budget.memory.HasRoom(kHuge));
  MemoryAccount account(&budget.memory);
  account.Charge(kShared - 10);
  EXPECT_TRUE(budget.memory.HasRoom(10));
  EXPECT_FALSE(budget.memory.HasRoom(11));
  account.Charge(kAll);
  EXPECT_FALSE(budget.memory.HasRoom(1));
}

TEST(MemoryBudget, SlabsHaveTwoSizesOrWhatIsWanted) {
  Budget budget;
  EXPECT_EQ(budget.memory.TakeSlab(0).capacity, kSmall);
  EXPECT_EQ(budget.memory.TakeSlab(kSmall).capacity, kSmall);
  EXPECT_EQ(budget.memory.TakeSlab(kSmall + 1).capacity, kLarge);
  EXPECT_EQ(budget.memory.TakeSlab(kLarge).capacity, kLarge);
  EXPECT_EQ(budget.memory.TakeSlab(kLarge + 1).capacity, kLarge + 1);
}

TEST(MemoryBudget, SlabsAreUsedAgainAndEmptyThen) {
  Budget budget;
  for (const std::size_t size : {kSmall, kLarge}) {
    Slab slab = budget.memory.TakeSlab(size);
    const std::uint8_t* const bytes = slab.bytes.get();
    slab.size = 7;
    budget.memory.PutSlab(std::move(slab));
    const Slab again = budget.memory.TakeSlab(size);
    EXPECT_EQ(again.bytes.get(), bytes);
    EXPECT_EQ(again.capacity, size);
    EXPECT_EQ(again.size, 0U);
  }
}

class Http2MessageTest : public ::testing::Test {
 protected:
  static Bytes Counting(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i % 251);
    return bytes;
  }
  static Bytes Content(const Http2Message& message) {
    Bytes bytes(message.size());
    EXPECT_EQ(message.CopyTo(0, bytes), message.size());
    return bytes;
  }

  Budget budget_{64 * kAll};
  const std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>(&budget_.memory);
};

TEST_F(Http2MessageTest, IsEmptyAtFirst) {
  Http2Message message(account_);
  EXPECT_EQ(message.size(), 0U);
  EXPECT_TRUE(message.PieceAt(0).empty());
  const void* data = nullptr;
  int size = 0;
  EXPECT_FALSE(message.Pieces()->Next(&data, &size));
  EXPECT_EQ(account_->used(), 0U);
  EXPECT_TRUE(message.Allocate(0).empty());
  EXPECT_TRUE(message.Append({}, 0));
  EXPECT_EQ(account_->used(), 0U);
}

TEST_F(Http2MessageTest, IsChargedBySlabsUntilItIsCleared) {
  Http2Message message(account_);
  EXPECT_TRUE(message.Append(Counting(1), 1));
  EXPECT_EQ(account_->used(), kSmall);
  message.Clear();
  EXPECT_EQ(account_->used(), 0U);
  EXPECT_TRUE(message.Append(Counting(kSmall), kSmall));
  EXPECT_EQ(account_->used(), kSmall);
  EXPECT_TRUE(message.Append(Counting(1), 1));
  EXPECT_EQ(account_->used(), 2 * kSmall);
  EXPECT_EQ(message.size(), kSmall + 1);
  message.Clear();
  EXPECT_TRUE(message.Append(Counting(1), kSmall + 1));  // more will follow
  EXPECT_EQ(account_->used(), kLarge);
  EXPECT_EQ(message.Allocate(kLarge + 1).size(), kLarge + 1);
  EXPECT_EQ(account_->used(), kLarge + 1);
  EXPECT_EQ(message.size(), kLarge + 1);
  { const Http2Message other(account_); }
  message.Clear();
  EXPECT_EQ(account_->used(), 0U);
}

TEST_F(Http2MessageTest, GivesItsMemoryBackWhenItIsDestroyed) {
  {
    Http2Message message(account_);
    EXPECT_TRUE(message.Append(Counting(100), 100));
  }
  EXPECT_EQ(account_->used(), 0U);
}

TEST_F(Http2MessageTest, KeepsItsContentOverSlabs) {
  const Bytes bytes = Counting(kLarge + kSmall + 3);
  for (const std::size_t part : {std::size_t{1000}, kSmall, kLarge, bytes.size()}) {
    Http2Message message(account_);
    for (std::size_t at = 0; at < bytes.size(); at += part) {
      const std::size_t count = std::min(part, bytes.size() - at);
      ASSERT_TRUE(message.Append(std::span(bytes).subspan(at, count), bytes.size() - at));
    }
    EXPECT_EQ(message.size(), bytes.size());
    EXPECT_EQ(Content(message), bytes) << part;
  }
}

TEST_F(Http2MessageTest, CopiesFromAnyPlace) {
  const Bytes bytes = Counting(2 * kSmall);
  Http2Message message(account_);
  ASSERT_TRUE(message.Append(std::span(bytes).first(kSmall), kSmall));
  ASSERT_TRUE(message.Append(std::span(bytes).last(kSmall), kSmall));
  std::array<std::uint8_t, 4> to{};
  EXPECT_EQ(message.CopyTo(kSmall - 2, to), 4U);  // over the border of two slabs
  EXPECT_TRUE(std::equal(to.begin(), to.end(), bytes.begin() + kSmall - 2));
  EXPECT_EQ(message.CopyTo(2 * kSmall - 1, to), 1U);
  EXPECT_EQ(to[0], bytes.back());
  EXPECT_EQ(message.CopyTo(2 * kSmall, to), 0U);
  EXPECT_EQ(message.CopyTo(kHuge, to), 0U);
  EXPECT_EQ(message.CopyTo(0, {}), 0U);
}

TEST_F(Http2MessageTest, PiecesAreContiguousAndEndWithTheContent) {
  const Bytes bytes = Counting(kSmall + 1);
  Http2Message message(account_);
  ASSERT_TRUE(message.Append(std::span(bytes).first(kSmall), 1));
  ASSERT_TRUE(message.Append(std::span(bytes).last(1), 1));
  EXPECT_EQ(message.PieceAt(0).size(), kSmall);
  EXPECT_EQ(message.PieceAt(kSmall - 1).size(), 1U);
  EXPECT_EQ(message.PieceAt(kSmall).size(), 1U);
  EXPECT_EQ(message.PieceAt(kSmall)[0], bytes.back());
  EXPECT_TRUE(message.PieceAt(kSmall + 1).empty());
}

TEST_F(Http2MessageTest, TheTailContinuesTheContent) {
  Http2Message message(account_);
  const std::span<std::uint8_t> tail = message.Tail(1);
  EXPECT_EQ(tail.size(), kSmall);
  EXPECT_EQ(message.size(), 0U);
  EXPECT_TRUE(message.PieceAt(0).empty());
  tail[0] = 42;
  message.Advance(1);
  EXPECT_EQ(message.size(), 1U);
  EXPECT_EQ(message.PieceAt(0)[0], 42);
  EXPECT_EQ(message.Tail(1).data(), tail.data() + 1);
  EXPECT_EQ(message.Tail(kLarge).size(), kSmall - 1);  // what is there comes first
  message.Advance(kSmall - 1);
  EXPECT_EQ(message.Tail(kSmall + 1).size(), kLarge);
}

TEST_F(Http2MessageTest, WithoutMemoryThereIsNoTail) {
  Budget poor(4 * kSmall);
  const auto account = std::make_shared<MemoryAccount>(&poor.memory);
  Http2Message message(account);
  EXPECT_TRUE(message.Append(Counting(kSmall), kSmall));
  EXPECT_TRUE(message.Tail(1).empty());
  EXPECT_FALSE(message.Append(Counting(1), 1));
  EXPECT_EQ(Content(message), Counting(kSmall));  // what was there stays
  message.Clear();
  EXPECT_FALSE(message.Append(Counting(2 * kSmall), 1));  // the first slab fits
  EXPECT_EQ(message.size(), kSmall);
}

TEST_F(Http2MessageTest, SwapsContentWithItsAccount) {
  const auto other_account = std::make_shared<MemoryAccount>(&budget_.memory);
  Http2Message first(account_);
  ASSERT_TRUE(first.Append(Counting(10), 10));
  {
    Http2Message second(other_account);
    first.Swap(second);
    EXPECT_EQ(first.size(), 0U);
    EXPECT_EQ(second.size(), 10U);
    EXPECT_EQ(account_->used(), kSmall);
  }
  EXPECT_EQ(account_->used(), 0U);
  ASSERT_TRUE(first.Append(Counting(10), 10));
  EXPECT_EQ(other_account->used(), kSmall);
}

TEST_F(Http2MessageTest, IsReadPieceByPiece) {
  const Bytes bytes = Counting(2 * kSmall);
  Http2Message message(account_);
  ASSERT_TRUE(message.Append(std::span(bytes).first(kSmall), kSmall));
  ASSERT_TRUE(message.Append(std::span(bytes).last(kSmall), kSmall));
  message.Tail(1);  // an empty slab at the end is no piece
  google::protobuf::io::ZeroCopyInputStream* const pieces = message.Pieces();
  const void* data = nullptr;
  int size = 0;
  ASSERT_TRUE(pieces->Next(&data, &size));
  EXPECT_EQ(static_cast<std::size_t>(size), kSmall);
  pieces->BackUp(5);
  EXPECT_EQ(pieces->ByteCount(), static_cast<std::int64_t>(kSmall) - 5);
  EXPECT_TRUE(pieces->Skip(6));
  ASSERT_TRUE(pieces->Next(&data, &size));
  EXPECT_EQ(static_cast<std::size_t>(size), kSmall - 1);
  EXPECT_EQ(*static_cast<const std::uint8_t*>(data), bytes[kSmall + 1]);
  EXPECT_FALSE(pieces->Next(&data, &size));
  EXPECT_TRUE(pieces->Skip(0));
  EXPECT_FALSE(pieces->Skip(1));
  EXPECT_TRUE(message.Pieces()->Skip(2 * kSmall));  // from the start again
}

}  // namespace
}  // namespace hellocnn::server
