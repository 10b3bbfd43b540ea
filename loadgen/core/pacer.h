// Decides for one thread when the next request is sent, whether it counts, and when to stop. No
// clock, no thread.
#ifndef HELLOCNN_LOADGEN_CORE_PACER_H_
#define HELLOCNN_LOADGEN_CORE_PACER_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "loadgen/core/arrivals.h"

namespace hellocnn::load {

struct Departure {
  Nanos intended;
  bool measured;  // false: it belongs to the warm-up
};

// What ends a measurement, whichever comes first. Requests of the warm-up do not count.
struct RunLimits {
  Nanos warm_up{0};
  Nanos duration = Nanos::max();  // of the measured part
  std::int64_t requests = std::numeric_limits<std::int64_t>::max();

  // Returns part number `part`, from 0, of `parts` limits that together are these.
  RunLimits Share(int part, int parts) const {
    RunLimits share = *this;
    if (requests != std::numeric_limits<std::int64_t>::max()) {
      share.requests = requests / parts + (part < requests % parts ? 1 : 0);
    }
    return share;
  }
};

// Not thread-safe.
class Pacer {
 public:
  // A null `arrivals` means a closed loop.
  Pacer(RunLimits limits, std::unique_ptr<Arrivals> arrivals)
      : limits_(limits), arrivals_(std::move(arrivals)) {}

  bool open_loop() const { return arrivals_ != nullptr; }

  // Returns the next request: at `now` in a closed loop, as scheduled in an open loop. A scheduled
  // time may lie in the past or in the future. Returns nullopt if no more requests are to be sent,
  // now or later: the sender never catches up after the end. Nor does it after the warm-up, whose
  // overdue requests are skipped.
  std::optional<Departure> Next(Nanos now) {
    if (Over(now)) return std::nullopt;
    std::optional<Nanos> at = now;
    if (open_loop()) {
      do at = arrivals_->Next();
      while (at.has_value() && *at < limits_.warm_up && now >= limits_.warm_up);
    }
    if (!at.has_value() || Over(*at)) return std::nullopt;
    const bool measured = *at >= limits_.warm_up;
    if (measured && measured_++ >= limits_.requests) return std::nullopt;
    return Departure{*at, measured};
  }

  // Returns true if nothing may be sent at `now` any more because the duration is over.
  bool Over(Nanos now) {
    ended_by_time_ =
        ended_by_time_ || (now >= limits_.warm_up && now - limits_.warm_up >= limits_.duration);
    return ended_by_time_;
  }

  // Returns true if the duration, not the number of requests, has ended the sending.
  bool ended_by_time() const { return ended_by_time_; }

 private:
  RunLimits limits_;
  std::unique_ptr<Arrivals> arrivals_;
  std::int64_t measured_ = 0;
  bool ended_by_time_ = false;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_PACER_H_
