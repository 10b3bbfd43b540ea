// A connection's bytes through TLS.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_SOCKET_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_SOCKET_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "server/rpc/transport/http2/socket.h"
#include "server/tls/tls_context.h"

namespace hellocnn::server {

// What a TLS connection takes when its handshake is done and it is idle. Measured with OpenSSL 3.0
// as 18.5 KiB (29 November 2026, Debian 12, x86-64). Its buffers, up to 16 KiB for each direction,
// are there while it receives or sends only.
inline constexpr std::size_t kTlsConnectionBytes = 20 << 10;

// Takes over `descriptor`. The principal of a peer with a certificate is PrincipalOf it. Receiving
// and sending first go on with the handshake, and move no bytes before it is complete. If it fails,
// `on_failure` is called with the reason, and the socket ends.
std::unique_ptr<Socket> MakeTlsSocket(int descriptor, std::shared_ptr<const TlsContext> context,
                                      std::function<void(const std::string& reason)> on_failure);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_TLS_SOCKET_H_
