// Converts deadlines for gRPC, on the monotonic clock.
#ifndef HELLOCNN_CLIENT_GRPC_TIME_H_
#define HELLOCNN_CLIENT_GRPC_TIME_H_

#include <grpc/support/time.h>

#include <algorithm>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::client {

// Returns `deadline` on the monotonic clock of gRPC. gRPC also takes a
// std::chrono::system_clock::time_point. Such a deadline would pass an hour late if the wall clock
// were set back by an hour before gRPC had read it. Thread-safe; does not block.
inline gpr_timespec ToGrpcTime(Instant deadline) {
  if (deadline == Instant::InfiniteFuture()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  // This converts the time that is left, because nothing promises that the two clocks have the same
  // epoch. A hundred years are as good as forever, and fit into the type.
  const absl::Duration left =
      std::clamp(deadline - Clock::Monotonic()->Now(), -absl::Hours(1), absl::Hours(24 * 36500));
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(left), GPR_TIMESPAN));
}

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_GRPC_TIME_H_
