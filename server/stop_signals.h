// Decides what signals do.
#ifndef HELLOCNN_SERVER_STOP_SIGNALS_H_
#define HELLOCNN_SERVER_STOP_SIGNALS_H_

#include <optional>

#include "base/clock.h"

namespace hellocnn::server {

// SIGTERM comes from supervisors, behind which balancers and clients must notice that the server
// leaves. SIGINT comes from people, who are not kept waiting. SIGHUP stops nothing.
// Thread-compatible.
class StopSignals {
 public:
  enum class Action {
    kNone,   // the signal repeats the one before
    kLeave,  // leave, and drain after the delay
    kDrain,  // drain now: there is no delay, or its rest is left out
    kExit,   // end the process at once
    kLook,   // look for new versions of models
  };

  // Returns what the signal `number` asks for at `now`. `waiting` says whether the delay before the
  // drain is running.
  Action OnSignal(int number, Instant now, bool waiting);

 private:
  std::optional<Instant> last_;  // signal that was no repetition
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_STOP_SIGNALS_H_
