// Numbers from one thread to one other, without a lock.
#ifndef HELLOCNN_LOADGEN_CORE_RING_H_
#define HELLOCNN_LOADGEN_CORE_RING_H_

#include <atomic>
#include <cstddef>
#include <optional>
#include <vector>

namespace hellocnn::load {

// First in, first out. One thread pushes, one other pops. Neither blocks nor allocates.
class Ring {
 public:
  // Of at most `capacity` numbers at a time, >= 1.
  explicit Ring(std::size_t capacity) : places_(capacity + 1) {}

  // There must be room.
  void Push(int number) {
    const std::size_t at = tail_.load(std::memory_order_relaxed);
    places_[at] = number;
    tail_.store(Next(at), std::memory_order_release);
  }

  // nullopt: empty.
  std::optional<int> Pop() {
    const std::size_t at = head_.load(std::memory_order_relaxed);
    if (at == tail_.load(std::memory_order_acquire)) return std::nullopt;
    const int number = places_[at];
    head_.store(Next(at), std::memory_order_release);
    return number;
  }

 private:
  std::size_t Next(std::size_t at) const { return at + 1 == places_.size() ? 0 : at + 1; }

  std::vector<int> places_;
  // Apart, so that the threads don't take each other's cache line.
  alignas(64) std::atomic<std::size_t> head_ = 0;
  alignas(64) std::atomic<std::size_t> tail_ = 0;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_RING_H_
