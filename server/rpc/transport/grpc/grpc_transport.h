// The transport on gRPC's C++ server. hellocnn-server uses it, and so does the echo server with
// which it is compared in measurements.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TRANSPORT_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TRANSPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

struct GrpcOptions {
  std::string listen;  // host:port, where port 0 picks a free port, or unix:/path
  int max_message_bytes = 0;
  absl::Duration max_connection_age;  // 0: connections last forever
};

// Starts a server of `services`. What their handlers use must outlive it. UNAVAILABLE: the server
// cannot listen on the address.
//
// The resources of clients are limited:
//   - A connection has at most 4,096 calls. Further calls wait at the client.
//   - Messages and connections take at most 256 MiB plus 8 messages of the largest size. Beyond
//     that, calls end with RESOURCE_EXHAUSTED.
//   - Compressed requests end with UNIMPLEMENTED.
absl::StatusOr<std::unique_ptr<Transport>> StartGrpcTransport(const GrpcOptions& options,
                                                              const std::vector<Service>& services);

// Returns the version of gRPC.
std::string GrpcVersion();

// Returns `address`, which is host:port, with the port replaced.
std::string WithPort(const std::string& address, int port);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_TRANSPORT_H_
