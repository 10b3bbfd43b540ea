// The memory that peers make the server take: a budget for all, an account for each connection, and
// messages that are charged to it.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_MEMORY_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_MEMORY_H_

#include <google/protobuf/io/zero_copy_stream.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// A contiguous piece of memory.
struct Slab {
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t capacity = 0;
  std::size_t size = 0;  // the part in use, from the front
};

// A number of bytes that all connections share, and the slabs that are not in use, which are kept
// for later. Thread-safe.
class MemoryBudget {
 public:
  static constexpr std::size_t kSmallSlab = 8192;   // one image and its surroundings
  static constexpr std::size_t kLargeSlab = 65536;  // a part of a request with many images

  // `on_pressure` is called when a small account had to be helped from the reserve, or was refused.
  // It must be thread-safe and must not block.
  MemoryBudget(std::size_t bytes, std::function<void()> on_pressure)
      : bytes_(bytes), on_pressure_(std::move(on_pressure)) {}

  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  // Returns true if `bytes` are left without the reserve, for a new connection.
  bool HasRoom(std::size_t bytes) const {
    return bytes <= shared_bytes() && used() <= shared_bytes() - bytes;
  }

  // Returns an empty slab of at least `bytes` bytes: kSmallSlab, kLargeSlab or, beyond that,
  // `bytes`.
  Slab TakeSlab(std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps a slab that TakeSlab has returned, or frees it.
  void PutSlab(Slab slab) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class MemoryAccount;

  // As many as a busy server uses at the same time.
  static constexpr std::size_t kIdleSmall = 256;
  static constexpr std::size_t kIdleLarge = 64;

  // The last eighth is kept for accounts that have almost nothing.
  std::size_t shared_bytes() const { return bytes_ - bytes_ / 8; }
  // An account with no more than this is small.
  std::size_t small_account() const { return bytes_ / 512; }

  const std::size_t bytes_;
  const std::function<void()> on_pressure_;
  std::atomic<std::size_t> used_{0};
  Mutex mutex_;
  std::vector<Slab> small_ ABSL_GUARDED_BY(mutex_);
  std::vector<Slab> large_ ABSL_GUARDED_BY(mutex_);
};

// What one connection has taken of the budget. Thread-safe.
//
// The rule is a dynamic threshold (Choudhury and Hahne, "Dynamic Queue Length Thresholds for
// Shared-Memory Packet Switches", 1998): a connection may take as much as is then still left. So
// the greediest is refused first. Many greedy ones leave little nevertheless, so accounts that have
// almost nothing may use a reserve. Whoever has the most must then give back: on_pressure.
class MemoryAccount {
 public:
  explicit MemoryAccount(MemoryBudget* budget) : budget_(budget) {}

  // Takes `bytes` if the rule allows it. Otherwise returns false and takes nothing.
  bool Take(std::size_t bytes);
  // Takes `bytes` whatever the rule says, for memory that is in use already.
  void Charge(std::size_t bytes);
  // Gives back `bytes`, of which as many must have been taken.
  void Give(std::size_t bytes);
  // Returns true if the rule would not let the account have what it has: more than its share, or
  // anything while all accounts together have more than the budget.
  bool overdrawn() const { return RoomFor(0) == Room::kNo; }

  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  MemoryBudget* budget() const { return budget_; }

 private:
  enum class Room { kYes, kInReserve, kNo };
  Room RoomFor(std::size_t bytes) const;

  MemoryBudget* const budget_;
  std::atomic<std::size_t> used_{0};
};

// A message in slabs. Its memory is charged to an account from the first byte until Clear.
class Http2Message final : public Message {
 public:
  explicit Http2Message(std::shared_ptr<MemoryAccount> account = nullptr)
      : account_(std::move(account)) {}
  ~Http2Message() override { Clear(); }
  Http2Message(const Http2Message&) = delete;
  Http2Message& operator=(const Http2Message&) = delete;

  // Sets the account, without which the message can have no content. The message must be empty.
  void SetAccount(std::shared_ptr<MemoryAccount> account) { account_ = std::move(account); }

  std::size_t size() const override { return size_; }
  google::protobuf::io::ZeroCopyInputStream* Pieces() override;
  std::span<std::uint8_t> Allocate(std::size_t size) override;
  void Clear() override;

  // Returns free memory that continues the content. It is empty if the account has none left for
  // it. `expected` is how much will follow. Advance then adds what the caller has written to its
  // beginning.
  std::span<std::uint8_t> Tail(std::size_t expected);
  void Advance(std::size_t bytes);
  // Adds a copy of `bytes`. Returns false if the account has no memory left for all of it; a part
  // may have been added then. `expected` is how much will follow, these bytes included.
  bool Append(std::span<const std::uint8_t> bytes, std::size_t expected);
  // Copies the part of the content that begins at `offset`, as far as `to` has room. Returns the
  // number of bytes.
  std::size_t CopyTo(std::size_t offset, std::span<std::uint8_t> to) const;
  // Returns a contiguous part of the content that begins at `offset`; empty at its end.
  std::span<const std::uint8_t> PieceAt(std::size_t offset) const;
  // Takes the content of `other` in exchange for its own, with its account.
  void Swap(Http2Message& other);

 private:
  // Reads the slabs one after the other.
  class Reader final : public google::protobuf::io::ZeroCopyInputStream {
   public:
    void Begin(const std::vector<Slab>* slabs) {
      slabs_ = slabs;
      slab_ = offset_ = read_ = 0;
    }
    bool Next(const void** data, int* size) override;
    void BackUp(int count) override;
    bool Skip(int count) override;
    std::int64_t ByteCount() const override { return static_cast<std::int64_t>(read_); }

   private:
    const std::vector<Slab>* slabs_ = nullptr;
    std::size_t slab_ = 0;    // the next one
    std::size_t offset_ = 0;  // in it
    std::size_t read_ = 0;
  };

  std::shared_ptr<MemoryAccount> account_;
  std::vector<Slab> slabs_;
  std::size_t size_ = 0;
  Reader reader_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_MEMORY_H_
