// Sets up the gRPC servers of this project: hellocnn-server, and the echo server with which it is
// compared in measurements.
#ifndef HELLOCNN_SERVER_RPC_GRPC_SERVER_H_
#define HELLOCNN_SERVER_RPC_GRPC_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/completion_events.h"

namespace hellocnn::server {

struct GrpcServerOptions {
  std::string listen;  // host:port; port 0 picks a free port
  int max_message_bytes = 0;
  absl::Duration max_connection_age;  // 0: connections last forever
};

struct GrpcServer {
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<CompletionEvents> events;  // see ~CompletionEvents
  std::string address;                       // host:port with the port that was bound
};

// Starts a server of the asynchronous `services`, which must outlive it. The server responds to
// calls only once the services listen to the events' queue and a thread handles the events.
// UNAVAILABLE: the server cannot listen on the address.
//
// The resources of clients are limited:
//   - A connection has at most 4,096 calls. Further calls wait at the client.
//   - Messages and connections take at most 256 MiB plus 8 messages of the largest size. Beyond
//     that, calls end with RESOURCE_EXHAUSTED.
//   - Compressed requests end with UNIMPLEMENTED.
absl::StatusOr<GrpcServer> StartGrpcServer(const GrpcServerOptions& options,
                                           const std::vector<grpc::Service*>& services);

// Stops listening, and after `grace` ends the calls that remain. Blocks until all calls have ended.
void ShutDown(grpc::Server* server, absl::Duration grace);

// Returns `address`, which is host:port, with the port replaced.
std::string WithPort(const std::string& address, int port);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_GRPC_SERVER_H_
