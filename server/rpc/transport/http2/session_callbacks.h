// Between nghttp2, which is C, and a session.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_CALLBACKS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_CALLBACKS_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "server/rpc/transport/http2/limits.h"

namespace hellocnn::server {

class Session;

// The functions that nghttp2 calls while the session runs it. `user` is the session.
struct SessionCallbacks {
  // Returns a new session of nghttp2 that calls these functions, and has its first frames to send.
  // The caller owns it.
  static nghttp2_session* MakeSession(const Http2Limits& limits, Session* user);

  // Returns true if the frame is HEADERS that open a stream, and not trailers.
  static bool IsRequest(const nghttp2_frame& frame) {
    return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int OnBeginHeaders(nghttp2_session* h2, const nghttp2_frame* frame, void* user);
  static int OnHeader(nghttp2_session* h2, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t flags, void* user);
  static int OnFrame(nghttp2_session* h2, const nghttp2_frame* frame, void* user);
  static int OnData(nghttp2_session* h2, std::uint8_t flags, std::int32_t id,
                    const std::uint8_t* data, std::size_t size, void* user);
  static int OnSent(nghttp2_session* h2, const nghttp2_frame* frame, void* user);
  static int OnClose(nghttp2_session* h2, std::int32_t id, std::uint32_t error, void* user);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_CALLBACKS_H_
