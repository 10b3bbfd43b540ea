// How a gRPC server of this project is set up: hellocnn-server and the echo server that it is
// measured against.
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
  std::string listen;  // host:port; port 0 picks a free one
  int max_message_bytes = 0;
  absl::Duration max_connection_age;  // 0: connections last for ever
};

struct GrpcServer {
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<CompletionEvents> events;  // see ~CompletionEvents
  std::string address;                       // host:port with the port that was bound
};

// What a client can take is bounded: 4,096 calls on a connection, further ones wait at the client;
// 256 MiB of messages and connections, and 8 of the largest messages, beyond which calls end with
// RESOURCE_EXHAUSTED; and no compressed requests, which end with UNIMPLEMENTED.
//
// Serves `services`, asynchronous ones, which must outlive the server. Nothing is answered until
// they listen to the events' queue and somebody handles the events. UNAVAILABLE: cannot listen
// there.
absl::StatusOr<GrpcServer> StartGrpcServer(const GrpcServerOptions& options,
                                           const std::vector<grpc::Service*>& services);

// Stops listening, and ends the calls that are left after `grace`. Blocks until they have ended.
void ShutDown(grpc::Server* server, absl::Duration grace);

// `address` is host:port; the port is replaced.
std::string WithPort(const std::string& address, int port);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_GRPC_SERVER_H_
