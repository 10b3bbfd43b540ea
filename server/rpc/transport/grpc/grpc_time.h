// Converts instants to and from gRPC's monotonic clock, which has an epoch of its own.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TIME_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TIME_H_

#include <grpc/support/time.h>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {

// Both convert between Clock::Monotonic() and gRPC's clock; infinite times stay infinite.
gpr_timespec ToGrpcTime(Instant time);
Instant ToInstant(gpr_timespec time);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TIME_H_
