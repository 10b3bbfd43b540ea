#include "base/clock.h"

namespace hellocnn {
namespace {

class MonotonicClock final : public Clock {
 public:
  Instant Now() const override { return Instant::FromSteady(std::chrono::steady_clock::now()); }
};

}  // namespace

const Clock* Clock::Monotonic() {
  static const MonotonicClock clock;
  return &clock;
}

}  // namespace hellocnn
