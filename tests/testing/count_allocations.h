// Counts the calls of operator new. For programs that are linked to count_allocations.cc, which
// replaces it; sanitizers replace it too, so not for those. What is taken from malloc directly, as
// gRPC takes the memory of its calls, is not counted.
#ifndef HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_
#define HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_

#include <gtest/gtest.h>

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

// Expects that for each event `ours` allocates no more than `bare`, which does what cannot be
// helped; both measure and return a number. gRPC works on one thread or another, the more so on a
// busy machine, and is counted only on the one: so one of several measurements must do. What
// `ours` has of its own shows in each.
template <typename Bare, typename Ours>
void ExpectAllocatesNoMore(Bare bare, Ours ours) {
  constexpr int kMeasurements = 5;
  constexpr double kTolerance = 0.5;  // what gRPC allocates now and then for more than one event
  double bare_count = 0;
  double our_count = 0;
  for (int i = 0; i < kMeasurements; ++i) {
    bare_count = bare();
    our_count = ours();
    ASSERT_GT(bare_count, 0) << "nothing is counted";
    ASSERT_GE(our_count, 0);
    if (our_count < bare_count + kTolerance) return;
  }
  FAIL() << our_count << " allocations for an event; wanted " << bare_count;
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_
