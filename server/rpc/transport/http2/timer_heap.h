// Timers, of which the earliest is at hand.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TIMER_HEAP_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TIMER_HEAP_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace hellocnn::server {

// The base of what has a timer. It belongs to one heap at most. While it is there, neither of the
// two may be destroyed, and only Set may change it.
struct Timer {
  Instant time = Instant::InfiniteFuture();
  std::size_t place = 0;  // in the heap, from 1 on; 0: in none
};

// A binary heap of T, which is derived from Timer. Setting a timer takes logarithmic time. The heap
// allocates only when it grows. Thread-compatible.
template <typename T>
class TimerHeap {
 public:
  // Sets the timer of `item`, which may be in this heap or in none, to any time, also in the past.
  // InfiniteFuture takes it out.
  void Set(T* item, Instant at) {
    Timer* const timer = item;
    if (timer->place == 0) {
      if (at == Instant::InfiniteFuture()) return;
      timer->time = at;
      items_.push_back(item);
      timer->place = items_.size();
      return Rise(timer->place);
    }
    const bool earlier = at < timer->time;
    timer->time = at;
    if (at == Instant::InfiniteFuture()) return Remove(timer->place);
    if (earlier) {
      Rise(timer->place);
    } else {
      Sink(timer->place);
    }
  }

  bool empty() const { return items_.empty(); }
  // Returns an item with the earliest time, or null if there is none.
  T* first() const { return items_.empty() ? nullptr : items_.front(); }
  // Returns the earliest time; InfiniteFuture if there is none.
  Instant first_time() const {
    return items_.empty() ? Instant::InfiniteFuture() : TimerOf(1).time;
  }

 private:
  Timer& TimerOf(std::size_t place) const { return *items_[place - 1]; }

  void Exchange(std::size_t left, std::size_t right) {
    std::swap(items_[left - 1], items_[right - 1]);
    TimerOf(left).place = left;
    TimerOf(right).place = right;
  }
  void Rise(std::size_t place) {
    for (; place > 1 && TimerOf(place).time < TimerOf(place / 2).time; place /= 2) {
      Exchange(place, place / 2);
    }
  }
  void Sink(std::size_t place) {
    while (true) {
      std::size_t least = place;
      for (std::size_t child : {2 * place, 2 * place + 1}) {
        if (child <= items_.size() && TimerOf(child).time < TimerOf(least).time) least = child;
      }
      if (least == place) return;
      Exchange(place, least);
      place = least;
    }
  }
  void Remove(std::size_t place) {
    TimerOf(place).place = 0;
    if (place == items_.size()) return items_.pop_back();
    items_[place - 1] = items_.back();
    items_.pop_back();
    TimerOf(place).place = place;
    Rise(place);
    Sink(place);
  }

  std::vector<T*> items_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TIMER_HEAP_H_
