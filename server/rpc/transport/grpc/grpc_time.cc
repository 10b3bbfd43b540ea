#include "server/rpc/transport/grpc/grpc_time.h"

#include <cstdint>

namespace hellocnn::server {

gpr_timespec ToGrpcTime(Instant time) {
  if (time == Instant::InfiniteFuture()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  if (time == Instant::InfinitePast()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const std::int64_t left = absl::ToInt64Nanoseconds(time - Clock::Monotonic()->Now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left, GPR_TIMESPAN));
}

Instant ToInstant(gpr_timespec time) {
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(time, GPR_CLOCK_MONOTONIC), gpr_now(GPR_CLOCK_MONOTONIC));
  if (gpr_time_cmp(left, gpr_inf_future(GPR_TIMESPAN)) == 0) return Instant::InfiniteFuture();
  return Clock::Monotonic()->Now() + absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace hellocnn::server
