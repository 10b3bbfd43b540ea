#include "base/clock.h"

namespace hellocnn {
namespace {

class MonotonicClock final : public Clock {
 public:
  Instant Now() const override { return Instant::FromSteady(std::chrono::steady_clock::now()); }
};

}  // namespace

const Clock* Clock::Monotonic() {
  // Never destroyed: threads of gRPC may still ask for the time while the process exits.
  static const auto* const clock = new MonotonicClock();
  return clock;
}

}  // namespace hellocnn
