// Counts the calls of operator new. For programs that are linked to count_allocations.cc, which
// replaces it; sanitizers replace it too, so not for those. What is taken from malloc directly, as
// gRPC takes the memory of its calls, is not counted.
#ifndef HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_
#define HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_

#include <cstdint>

namespace hellocnn::testing {

// Of this thread, so far.
std::int64_t Allocations();

// How many there are for each of a number of events, after some that warm up.
class AllocationsPerEvent {
 public:
  static constexpr int kWarmUp = 500;
  static constexpr int kEvents = 2000;

  // To be called on one thread, at each event.
  void OnEvent() {
    if (events_ == kWarmUp) before_ = Allocations();
    if (events_ == kWarmUp + kEvents) total_ = Allocations() - before_;
    ++events_;
  }
  // Negative if there were too few events.
  double Get() const { return static_cast<double>(total_) / kEvents; }

 private:
  int events_ = 0;
  std::int64_t before_ = 0;
  std::int64_t total_ = -kEvents;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_
