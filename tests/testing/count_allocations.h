// Counts the calls of operator new, in programs that are linked to count_allocations.cc, which
// replaces it. This cannot be combined with sanitizers, which replace it too. Direct calls of
// malloc are not counted; gRPC allocates the memory of its calls that way.
#ifndef HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_
#define HELLOCNN_TESTS_TESTING_COUNT_ALLOCATIONS_H_

#include <gtest/gtest.h>

#include <cstdint>

namespace hellocnn::testing {

// Returns the number of allocations of this thread so far.
std::int64_t Allocations();

// Measures the average number of allocations for one event, after some events to warm up.
class AllocationsPerEvent {
 public:
  static constexpr int kWarmUp = 500;
  static constexpr int kEvents = 2000;

  // Must be called at each event, always on the same thread.
  void OnEvent() {
    if (events_ == kWarmUp) before_ = Allocations();
    if (events_ == kWarmUp + kEvents) total_ = Allocations() - before_;
    ++events_;
  }
  // Returns the average, or a negative number if there were too few events.
  double Get() const { return static_cast<double>(total_) / kEvents; }

 private:
  int events_ = 0;
  std::int64_t before_ = 0;
  std::int64_t total_ = -kEvents;
};

// Expects that `ours` allocates no more for an event than `bare`, which does only the unavoidable
// work. Both are functions that measure and return a number of allocations.
//
// gRPC works on different threads, especially on a busy machine, but only one thread is counted. So
// one of several measurements must succeed. The additional allocations of `ours` would show in
// each.
template <typename Bare, typename Ours>
void ExpectAllocatesNoMore(Bare bare, Ours ours) {
  constexpr int kMeasurements = 5;
  constexpr double kTolerance = 0.5;  // for occasional allocations of gRPC that serve many events
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
