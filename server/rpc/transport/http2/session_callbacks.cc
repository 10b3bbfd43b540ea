#include "server/rpc/transport/http2/session_callbacks.h"

#include <iterator>
#include <string_view>

#include "server/rpc/transport/http2/session.h"

namespace hellocnn::server {
namespace {

Session* Of(void* user) { return static_cast<Session*>(user); }

std::string_view TextOf(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

int SessionCallbacks::OnBeginHeaders(nghttp2_session* /*h2*/, const nghttp2_frame* frame,
                                     void* user) {
  if (IsRequest(*frame)) Of(user)->OpenStream(frame->hd.stream_id);
  return 0;
}

int SessionCallbacks::OnHeader(nghttp2_session* /*h2*/, const nghttp2_frame* frame,
                               const std::uint8_t* name, std::size_t name_size,
                               const std::uint8_t* value, std::size_t value_size,
                               std::uint8_t /*flags*/, void* user) {
  if (!IsRequest(*frame)) return 0;
  Session* const session = Of(user);
  Stream* const stream = session->Find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (stream->AddHeader(TextOf(name, name_size), TextOf(value, value_size))) return 0;
  // nghttp2 resets the stream, and inflates the rest of the headers without keeping them.
  session->core_->OnLimit(Limit::kHeaderBytes);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int SessionCallbacks::OnFrame(nghttp2_session* /*h2*/, const nghttp2_frame* frame, void* user) {
  Of(user)->OnFrame(*frame);
  return 0;
}

int SessionCallbacks::OnData(nghttp2_session* h2, std::uint8_t /*flags*/, std::int32_t id,
                             const std::uint8_t* data, std::size_t size, void* user) {
  nghttp2_session_consume_connection(h2, size);
  Stream* const stream = Of(user)->Find(id);
  if (stream != nullptr) stream->OnData({data, size});
  return 0;
}

int SessionCallbacks::OnSent(nghttp2_session* /*h2*/, const nghttp2_frame* frame, void* user) {
  Of(user)->OnSent(*frame);
  return 0;
}

int SessionCallbacks::OnClose(nghttp2_session* /*h2*/, std::int32_t id, std::uint32_t /*error*/,
                              void* user) {
  Session* const session = Of(user);
  Stream* const stream = session->Find(id);
  if (stream != nullptr) session->CloseStream(stream);
  return 0;
}

nghttp2_session* SessionCallbacks::MakeSession(const Http2Limits& limits, Session* user) {
  nghttp2_session_callbacks* callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
  nghttp2_option* options;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_continuations(options, limits.continuation_frames);
  nghttp2_option_set_server_fallback_rfc7540_priorities(options, 0);
  // The session counts resets among all other frames that are of no use.
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;
  nghttp2_option_set_stream_reset_rate_limit(options, kNoLimit, kNoLimit);
  nghttp2_session* made;
  nghttp2_session_server_new2(&made, callbacks, user, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<std::uint32_t>(limits.streams_per_connection)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
       static_cast<std::uint32_t>(limits.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)}};
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, limits.connection_window_bytes);
  return made;
}

}  // namespace hellocnn::server
