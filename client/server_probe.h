// Finds out what a server speaks that does not speak gRPC.
#ifndef HELLOCNN_CLIENT_SERVER_PROBE_H_
#define HELLOCNN_CLIENT_SERVER_PROBE_H_

#include "base/address.h"
#include "base/clock.h"

namespace hellocnn::client {

enum class Protocol { kUnknown, kTls, kHttp1 };

// Connects to the address up to twice, sends the beginning of a TLS handshake and then a request of
// HTTP/1, and looks at the first bytes that come back. Blocks until `deadline` at the latest, or
// for as long as a name is looked up. kUnknown: neither, or no response in time. Thread-safe.
Protocol ProbeServer(const HostPort& address, Instant deadline);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_SERVER_PROBE_H_
