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
struct Limits {
  Nanos warm_up{0};
  Nanos duration = Nanos::max();  // of the measured part
  std::int64_t requests = std::numeric_limits<std::int64_t>::max();

  // Returns part number `part`, from 0, of `parts` limits that together are these.
  Limits Share(int part, int parts) const {
    Limits share = *this;
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
  Pacer(Limits limits, std::unique_ptr<Arrivals> arrivals)
      : limits_(limits), arrivals_(std::move(arrivals)) {}

  bool open_loop() const { return arrivals_ != nullptr; }

  // Returns the next request: at `now` in a closed loop, as scheduled in an open loop. A scheduled
  // time may lie in the past or in the future. Returns nullopt if no more requests are to be sent,
  // now or later.
  std::optional<Departure> Next(Nanos now) {
    const std::optional<Nanos> at = open_loop() ? arrivals_->Next() : now;
    if (!at.has_value()) return std::nullopt;
    if (*at >= limits_.warm_up && *at - limits_.warm_up >= limits_.duration) {
      ended_by_time_ = true;
      return std::nullopt;
    }
    const bool measured = *at >= limits_.warm_up;
    if (measured && measured_++ >= limits_.requests) return std::nullopt;
    return Departure{*at, measured};
  }

  // Returns true if Next has returned nullopt because the duration is over, not because of the
  // number of requests.
  bool ended_by_time() const { return ended_by_time_; }

 private:
  Limits limits_;
  std::unique_ptr<Arrivals> arrivals_;
  std::int64_t measured_ = 0;
  bool ended_by_time_ = false;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_PACER_H_
