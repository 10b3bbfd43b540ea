#include "server/stop_signals.h"

#include <csignal>
#include <utility>

#include "absl/time/time.h"
#include "base/repeated_signal.h"

namespace hellocnn::server {

StopSignals::Action StopSignals::OnSignal(int number, Instant now, bool waiting) {
  if (number == SIGHUP) return Action::kLook;
  const absl::Duration repeated = absl::FromChrono(kRepeatedSignal);
  if (last_.has_value() && now - *last_ <= repeated) return Action::kNone;
  const bool is_first = !std::exchange(last_, now).has_value();
  if (is_first) return number == SIGTERM ? Action::kLeave : Action::kDrain;
  return waiting ? Action::kDrain : Action::kExit;
}

}  // namespace hellocnn::server
