// Who makes a call, according to gRPC.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_CALLER_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_CALLER_H_

#include <grpcpp/server_context.h>

#include <cstdint>

namespace hellocnn::server {

// Returns Rpc::caller() of a call that has arrived: by its address, because the connections of this
// transport are not encrypted.
std::uint64_t CallerAt(grpc::ServerContext* context);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_CALLER_H_
