// Proves to the service manager, again and again, that the server still serves.
#ifndef HELLOCNN_SERVER_WATCHDOG_H_
#define HELLOCNN_SERVER_WATCHDOG_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace hellocnn::server {

// A thread that calls `tell` at least once in each `interval`, but only after `respond` has
// returned true: the proof is that those who serve respond, not that a timer runs. Logs an error
// when they do not, and says when they do again.
class Watchdog {
 public:
  // `respond(deadline)` blocks until they have responded and returns true, or returns false at
  // `deadline`. `tell` must not block for long. Both are called on the thread of the watchdog.
  // Throws std::system_error if the thread does not start.
  Watchdog(absl::Duration interval, std::function<bool(Instant deadline)> respond,
           std::function<void()> tell);
  // Blocks until `respond` has returned.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Watch();

  const absl::Duration pause_;
  const std::function<bool(Instant deadline)> respond_;
  const std::function<void()> tell_;
  Notification ended_;
  std::thread thread_;  // the last: it uses all of the above
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_WATCHDOG_H_
