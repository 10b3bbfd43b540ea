// A stream of HTTP/2 that carries a call of gRPC: its headers, the messages in its data, and its
// status.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_STREAM_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/transport/http2/grpc_wire.h"
#include "server/rpc/transport/http2/http2_call.h"
#include "server/rpc/transport/http2/limits.h"
#include "server/rpc/transport/http2/memory.h"
#include "server/rpc/transport/http2/request_headers.h"
#include "server/rpc/transport/http2/timer_heap.h"

namespace hellocnn::server {

struct Method;
class Session;

// The life of a stream:
//   1. Headers arrive. What is wrong with them ends the stream. If they are no call of gRPC, the
//      response is plain text and follows the end of the request, and there is no call.
//   2. The call begins: at once, or when the whole request is there if the method is unary. So a
//      unary call that sends nothing costs a few hundred bytes.
//   3. The call reads, writes and finishes; or the deadline passes.
//   4. The status is sent, and the stream closes. It may close before, if the peer resets it.
//
// Belongs to the thread that runs the session. A stream serves one call after another.
class Stream : public Timer {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Begins a new stream of `session`, which outlives it.
  void Begin(Session* session, std::int32_t id);
  std::int32_t id() const { return id_; }

  // What the peer sends. AddHeader returns false if the rest of the headers must be dropped.
  bool AddHeader(std::string_view name, std::string_view value);
  void OnHeadersEnd();
  void OnData(std::span<const std::uint8_t> bytes);
  void OnRequestsEnd();
  // Ends the stream if it has waited too long for the peer: for the rest of a request, or for it to
  // read the response. Called every few seconds.
  void CheckPatience();
  // The status has left the server.
  void OnStatusSent();
  // Where the next bytes of data belong, if so many are to come that it pays to receive them there.
  std::span<std::uint8_t> Tail();

  // Ends the stream if it waits for the peer, because its memory is needed.
  void Shed();

  // The time has come for which the stream has set its timer: the deadline of the call or, once the
  // status was sent, the end of the patience with a peer that goes on.
  void OnTimer();
  // The stream has closed, or its connection has. The object may be used again.
  void OnClosed();

  // What the call does.
  void Read(Http2Message* into);
  // `initial` is sent with the first of the two.
  void Write(const OwnedMetadata& initial, Http2Message* message);
  // Sends `message`, if it is not null and the status is OK, and then the status.
  void Finish(const OwnedMetadata& initial, const absl::Status& status,
              const OwnedMetadata& trailers, Http2Message* message);

  // Writes the next part of the data to send, for nghttp2. Returns its size, or an error code.
  std::ptrdiff_t Fill(std::span<std::uint8_t> to, std::uint32_t* flags);
  // The same for the response to what is no call.
  std::ptrdiff_t FillPage(std::span<std::uint8_t> to, std::uint32_t* flags);
  // Tells the call that its message was sent, if Fill has sent the last part of it.
  void AfterFill();

 private:
  friend class Session;

  bool is_call() const { return http_status_ == kHttpOk; }
  // Takes bytes of data until a message is complete. Returns how many.
  std::size_t Feed(std::span<const std::uint8_t> bytes);
  void OnMessage();
  // Passes on what the call wants and what has arrived, until one of the two is used up.
  void Pump();
  void StartCall();
  // Tells the session whether the unary call was taken, so that it slows down a peer whose calls
  // are rejected. A call that is short of time is not reported, because its peer must not be
  // slowed.
  void ReportTaken();
  static absl::Status NoMemoryFor(std::string_view what);
  // Ends the stream for a reason of the transport. The call, if there is one, is cancelled.
  void Refuse(const absl::Status& status);
  void RefuseFor(Limit limit, const absl::Status& status);
  void Reset();
  // Responds to what is no call of gRPC, with page_ as plain text.
  void SendPage();
  // Sends the headers of the response, before its data. Once.
  void SendHeaders(const OwnedMetadata& initial);
  // Sends the status: as trailers, or alone if there are no data.
  void SendStatus(const absl::Status& status, const OwnedMetadata& trailers);
  void SubmitStatus(const OwnedMetadata& trailers, bool alone);
  // The id of the request, as the caller says, or nothing.
  std::string_view RequestId();
  bool is_unary() const;
  // Returns whether the time of the call is up, at least by the clock of a caller whose request has
  // waited to be received for half of it.
  bool WasGivenUpInTime() const;
  // Prepares `message` to be sent. Returns false if there is no memory for it.
  bool StartSending(Http2Message* message);
  void Resume();

  Session* session_ = nullptr;
  std::int32_t id_ = 0;
  RequestHeaders headers_;
  std::size_t header_bytes_ = 0;
  std::size_t charged_bytes_ = 0;  // for headers
  int http_status_ = kHttpOk;
  std::string page_;  // the response, if it is no call
  Method* method_ = nullptr;
  Http2Call* call_ = nullptr;  // null before it starts
  Instant deadline_;
  // Since when the stream waits for the peer; InfiniteFuture while it does not.
  Instant waiting_since_;

  // The message that is being received.
  std::array<std::uint8_t, kPrefixBytes> prefix_{};
  std::size_t prefix_size_ = 0;
  std::size_t left_ = 0;  // of the message, once the prefix is complete
  Http2Message message_;
  bool complete_ = false;         // the message is, and waits to be read
  Http2Message* into_ = nullptr;  // the call wants a message
  bool pumping_ = false;
  Http2Message backlog_;           // data that follow it
  std::size_t backlog_taken_ = 0;  // of them
  std::size_t unconsumed_ = 0;     // data for which the peer has no new window yet
  bool requests_ended_ = false;

  // The message that is being sent.
  const Http2Message* sending_ = nullptr;
  std::size_t sent_ = 0;  // with its prefix
  std::array<std::uint8_t, kPrefixBytes> sending_prefix_{};
  Http2Message compressed_;
  bool headers_sent_ = false;
  bool deferred_ = false;  // nghttp2 waits for Resume
  bool written_ = false;   // AfterFill has something to tell
  bool ended_ = false;     // the status is fixed
  bool status_sent_ = false;
  absl::Status status_;
  OwnedMetadata trailers_;  // if they follow data
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_STREAM_H_
