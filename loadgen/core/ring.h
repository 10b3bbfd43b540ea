// Passes numbers from one thread to one other, without a lock.
#ifndef HELLOCNN_LOADGEN_CORE_RING_H_
#define HELLOCNN_LOADGEN_CORE_RING_H_

#include <atomic>
#include <cstddef>
#include <optional>
#include <vector>

namespace hellocnn::load {

// A first-in, first-out queue. One thread pushes, and one other pops. Neither blocks nor allocates.
class Ring {
 public:
  // Holds at most `capacity` numbers, >= 1.
  explicit Ring(std::size_t capacity) : places_(capacity + 1) {}

  // Appends `number`. The ring must not be full.
  void Push(int number) {
    const std::size_t at = tail_.load(std::memory_order_relaxed);
    places_[at] = number;
    tail_.store(Next(at), std::memory_order_release);
  }

  // Returns the oldest number, or nullopt if the ring is empty.
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
  // In separate cache lines, so that the threads do not slow each other down.
  alignas(64) std::atomic<std::size_t> head_ = 0;
  alignas(64) std::atomic<std::size_t> tail_ = 0;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_RING_H_
