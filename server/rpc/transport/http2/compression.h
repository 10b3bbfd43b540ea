// Compressed messages, by zlib.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_COMPRESSION_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_COMPRESSION_H_

#include <cstddef>

#include "absl/status/status.h"
#include "server/rpc/transport/http2/memory.h"
#include "server/rpc/transport/http2/request_headers.h"

namespace hellocnn::server {

// Functions are thread-safe. They compute, and wait for nothing. `encoding` is not kIdentity. After
// an error, `to` may hold a part of the content.

// Inflates `from` into `to`, which is empty before. The bounds hold while it inflates, so a small
// message that grows to a large one costs no more than they say.
// Errors:
//   - INTERNAL: the bytes are not of that encoding, end early or go on after the end.
//   - RESOURCE_EXHAUSTED: there are more than `max_bytes`, or the account of `to` has no memory.
absl::Status Inflate(Encoding encoding, Http2Message* from, std::size_t max_bytes,
                     Http2Message* to);

// Compresses `from` into `to`, which is empty before. RESOURCE_EXHAUSTED: no memory.
absl::Status Deflate(Encoding encoding, Http2Message* from, Http2Message* to);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_COMPRESSION_H_
