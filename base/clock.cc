#include "base/clock.h"

#include <thread>

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

void SleepFor(absl::Duration duration) {
  std::this_thread::sleep_for(absl::ToChronoNanoseconds(duration));
}

}  // namespace hellocnn
