// A clock that stands still until a test moves it.
#ifndef HELLOCNN_TESTS_TESTING_FAKE_CLOCK_H_
#define HELLOCNN_TESTS_TESTING_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::testing {

// A clock with a time that only tests change. Thread-safe.
class FakeClock final : public Clock {
 public:
  Instant Now() const override { return Instant() + absl::Nanoseconds(nanoseconds_.load()); }
  void Advance(absl::Duration duration) { nanoseconds_ += absl::ToInt64Nanoseconds(duration); }

 private:
  std::atomic<std::int64_t> nanoseconds_{1'000'000'000};
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FAKE_CLOCK_H_
