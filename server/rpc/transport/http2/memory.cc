#include "server/rpc/transport/http2/memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hellocnn::server {

Slab MemoryBudget::TakeSlab(std::size_t bytes) {
  const std::size_t capacity = bytes <= kSmallSlab ? kSmallSlab : std::max(bytes, kLargeSlab);
  if (capacity <= kLargeSlab) {
    MutexLock lock(&mutex_);
    std::vector<Slab>& idle = capacity == kSmallSlab ? small_ : large_;
    if (!idle.empty()) {
      Slab slab = std::move(idle.back());
      idle.pop_back();
      return slab;
    }
  }
  return {.bytes = std::unique_ptr<std::uint8_t[]>(new std::uint8_t[capacity]),
          .capacity = capacity};
}

void MemoryBudget::PutSlab(Slab slab) {
  if (slab.capacity > kLargeSlab) return;
  const bool is_small = slab.capacity == kSmallSlab;
  slab.size = 0;
  MutexLock lock(&mutex_);
  std::vector<Slab>& idle = is_small ? small_ : large_;
  if (idle.size() < (is_small ? kIdleSmall : kIdleLarge)) idle.push_back(std::move(slab));
}

MemoryAccount::Room MemoryAccount::RoomFor(std::size_t bytes) const {
  if (bytes > budget_->bytes_) return Room::kNo;  // sums with it could overflow
  const std::size_t mine = used_.load(std::memory_order_relaxed) + bytes;
  const std::size_t all = budget_->used_.load(std::memory_order_relaxed) + bytes;
  const std::size_t shared = budget_->shared_bytes();
  if (all <= shared && mine <= shared - all) return Room::kYes;
  return mine <= budget_->small_account() && all <= budget_->bytes_ ? Room::kInReserve : Room::kNo;
}

bool MemoryAccount::Take(std::size_t bytes) {
  const Room room = RoomFor(bytes);
  const bool is_small = used_.load(std::memory_order_relaxed) < budget_->small_account();
  if (room != Room::kYes && is_small) budget_->on_pressure_();
  if (room == Room::kNo) return false;
  Charge(bytes);
  return true;
}

void MemoryAccount::Charge(std::size_t bytes) {
  used_.fetch_add(bytes, std::memory_order_relaxed);
  budget_->used_.fetch_add(bytes, std::memory_order_relaxed);
}

void MemoryAccount::Give(std::size_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  budget_->used_.fetch_sub(bytes, std::memory_order_relaxed);
}

google::protobuf::io::ZeroCopyInputStream* Http2Message::Pieces() {
  reader_.Begin(&slabs_);
  return &reader_;
}

std::span<std::uint8_t> Http2Message::Allocate(std::size_t size) {
  Clear();
  if (size == 0) return {};
  slabs_.push_back(account_->budget()->TakeSlab(size));
  account_->Charge(slabs_.back().capacity);
  slabs_.back().size = size_ = size;
  return {slabs_.back().bytes.get(), size};
}

void Http2Message::Clear() {
  size_ = 0;
  for (Slab& slab : slabs_) {
    account_->Give(slab.capacity);
    account_->budget()->PutSlab(std::move(slab));
  }
  slabs_.clear();
}

std::span<std::uint8_t> Http2Message::Tail(std::size_t expected) {
  if (slabs_.empty() || slabs_.back().size == slabs_.back().capacity) {
    const std::size_t capacity =
        expected <= MemoryBudget::kSmallSlab ? MemoryBudget::kSmallSlab : MemoryBudget::kLargeSlab;
    if (!account_->Take(capacity)) return {};
    slabs_.push_back(account_->budget()->TakeSlab(capacity));
  }
  Slab& last = slabs_.back();
  return {last.bytes.get() + last.size, last.capacity - last.size};
}

void Http2Message::Advance(std::size_t bytes) {
  slabs_.back().size += bytes;
  size_ += bytes;
}

bool Http2Message::Append(std::span<const std::uint8_t> bytes, std::size_t expected) {
  while (!bytes.empty()) {
    const std::span<std::uint8_t> tail = Tail(expected);
    if (tail.empty()) return false;
    const std::size_t part = std::min(tail.size(), bytes.size());
    // Bytes that were received in place are there already. After the length of a padding they are
    // one byte off.
    if (tail.data() != bytes.data()) std::memmove(tail.data(), bytes.data(), part);
    Advance(part);
    bytes = bytes.subspan(part);
    expected -= part;
  }
  return true;
}

std::size_t Http2Message::CopyTo(std::size_t offset, std::span<std::uint8_t> to) const {
  std::size_t copied = 0;
  for (const Slab& slab : slabs_) {
    if (offset >= slab.size) {
      offset -= slab.size;
      continue;
    }
    if (copied == to.size()) break;
    const std::size_t part = std::min(slab.size - offset, to.size() - copied);
    std::memcpy(to.data() + copied, slab.bytes.get() + offset, part);
    copied += part;
    offset = 0;
  }
  return copied;
}

std::span<const std::uint8_t> Http2Message::PieceAt(std::size_t offset) const {
  for (const Slab& slab : slabs_) {
    if (offset < slab.size) return {slab.bytes.get() + offset, slab.size - offset};
    offset -= slab.size;
  }
  return {};
}

void Http2Message::Swap(Http2Message& other) {
  std::swap(account_, other.account_);
  std::swap(slabs_, other.slabs_);
  std::swap(size_, other.size_);
}

bool Http2Message::Reader::Next(const void** data, int* size) {
  while (slab_ < slabs_->size()) {
    const Slab& slab = (*slabs_)[slab_];
    if (offset_ == slab.size) {
      ++slab_;
      offset_ = 0;
      continue;
    }
    *data = slab.bytes.get() + offset_;
    *size = static_cast<int>(slab.size - offset_);
    read_ += slab.size - offset_;
    offset_ = slab.size;
    return true;
  }
  return false;
}

void Http2Message::Reader::BackUp(int count) {
  offset_ -= static_cast<std::size_t>(count);
  read_ -= static_cast<std::size_t>(count);
}

bool Http2Message::Reader::Skip(int count) {
  const void* data;
  int size;
  while (count > 0) {
    if (!Next(&data, &size)) return false;
    if (size > count) BackUp(size - count);
    count -= std::min(size, count);
  }
  return true;
}

}  // namespace hellocnn::server
