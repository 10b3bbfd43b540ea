#include "server/watchdog.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace hellocnn::server {

Watchdog::Watchdog(absl::Duration interval, std::function<bool(Instant deadline)> respond,
                   std::function<void()> tell)
    : pause_(interval / 3),
      respond_(std::move(respond)),
      tell_(std::move(tell)),
      thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  ended_.Notify();
  thread_.join();
}

void Watchdog::Watch() {
  bool responded = true;
  do {
    const bool now = respond_(Clock::Monotonic()->Now() + pause_);
    if (now) tell_();
    if (now != responded && !ended_.HasBeenNotified()) {
      if (now) {
        spdlog::info("all workers respond again");
      } else {
        spdlog::error("a worker has not responded for {}: the watchdog is not told",
                      absl::FormatDuration(pause_));
      }
    }
    responded = now;
    // Whoever has not responded has had the pause already.
  } while (
      !ended_.WaitUntil(Clock::Monotonic()->Now() + (responded ? pause_ : absl::ZeroDuration())));
}

}  // namespace hellocnn::server
