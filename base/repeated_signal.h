// How soon a signal must follow another to be its repetition.
#ifndef HELLOCNN_BASE_REPEATED_SIGNAL_H_
#define HELLOCNN_BASE_REPEATED_SIGNAL_H_

#include <chrono>

namespace hellocnn {

// Supervisors signal a process and then its group, so the process gets the same signal twice. The
// signals that come within this time of the first count as one.
inline constexpr std::chrono::milliseconds kRepeatedSignal(250);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_REPEATED_SIGNAL_H_
