// Counts the connected clients.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_CONNECTIONS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_CONNECTIONS_H_

namespace hellocnn::server {

// Returns the number of open connections of all gRPC servers of this process, according to gRPC's
// own records (channelz). Returns 0 if channelz is switched off. Thread-safe. It takes a few
// microseconds for each connection, so call it for a scrape but not for every request.
int CountConnections();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_CONNECTIONS_H_
