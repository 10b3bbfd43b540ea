// Time as durations and deadlines need it: on a clock that nobody can set.
//
// The wall clock (absl::Now, std::chrono::system_clock) jumps when an operator or NTP sets it. A
// deadline on it then passes at once or an hour late, and a duration is negative or an hour too
// long. So every duration, timeout and deadline of this project is measured with a Clock; the wall
// clock is for what people read as a date: log lines, reports, the time of a model's loading.
// absl::SleepFor is fine: it waits for a duration, and not for a time of the wall clock.
#ifndef HELLOCNN_BASE_CLOCK_H_
#define HELLOCNN_BASE_CLOCK_H_

#include <chrono>
#include <compare>

#include "absl/time/time.h"

namespace hellocnn {

// A point on the monotonic clock of this machine. It says nothing about the date and has no meaning
// in another process. A type of its own, so that it cannot be mixed with absl::Time.
class Instant {
 public:
  // The clock's epoch: earlier than every time that the clock has told.
  constexpr Instant() = default;

  // Return the instants that are later and earlier than every other instant.
  static constexpr Instant InfiniteFuture() { return Instant(absl::InfiniteDuration()); }
  static constexpr Instant InfinitePast() { return Instant(-absl::InfiniteDuration()); }

  static Instant FromSteady(std::chrono::steady_clock::time_point time) {
    return Instant(absl::FromChrono(time.time_since_epoch()));
  }
  // Instants that a steady_clock cannot represent become its smallest and its largest one.
  std::chrono::steady_clock::time_point ToSteady() const {
    return std::chrono::steady_clock::time_point(absl::ToChronoNanoseconds(since_epoch_));
  }

  Instant& operator+=(absl::Duration duration) {
    since_epoch_ += duration;
    return *this;
  }
  Instant& operator-=(absl::Duration duration) {
    since_epoch_ -= duration;
    return *this;
  }
  friend Instant operator+(Instant instant, absl::Duration duration) { return instant += duration; }
  friend Instant operator-(Instant instant, absl::Duration duration) { return instant -= duration; }
  // The result is infinite if one of the two is.
  friend absl::Duration operator-(Instant left, Instant right) {
    return left.since_epoch_ - right.since_epoch_;
  }
  friend constexpr bool operator==(Instant left, Instant right) {
    return left.since_epoch_ == right.since_epoch_;
  }
  friend constexpr std::strong_ordering operator<=>(Instant left, Instant right) {
    if (left.since_epoch_ < right.since_epoch_) return std::strong_ordering::less;
    return left.since_epoch_ == right.since_epoch_ ? std::strong_ordering::equal
                                                   : std::strong_ordering::greater;
  }

 private:
  explicit constexpr Instant(absl::Duration since_epoch) : since_epoch_(since_epoch) {}

  absl::Duration since_epoch_;
};

// Tells the time. Classes that need it take a `const Clock*`, which outlives them: the monotonic
// clock in programs, a fake one in tests. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Returns the time, which is never less than an earlier result.
  virtual Instant Now() const = 0;

  // Returns the monotonic clock of this machine. Setting the wall clock does not change it, and it
  // stands still while the machine is suspended. Lives as long as the process.
  static const Clock* Monotonic();
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_CLOCK_H_
