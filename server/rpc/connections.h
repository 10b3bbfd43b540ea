// How many clients are connected.
#ifndef HELLOCNN_SERVER_RPC_CONNECTIONS_H_
#define HELLOCNN_SERVER_RPC_CONNECTIONS_H_

namespace hellocnn::server {

// Open connections of all gRPC servers of this process, as gRPC's own bookkeeping (channelz) has
// them; 0 if that is switched off. Thread-safe. For a scrape, not for every request: it takes a few
// microseconds a connection.
int CountConnections();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CONNECTIONS_H_
