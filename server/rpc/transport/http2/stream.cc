#include "server/rpc/transport/http2/stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "base/shown.h"
#include "server/rpc/transport/http2/compression.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/session.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

// So much data is received into its message, and less is copied there.
constexpr std::size_t kReceiveInPlace = 16384;
// What a stream that is not in use keeps of its memory for headers.
constexpr std::size_t kKeptHeaderBytes = 1024;

// A call that is given up after a shorter time has cost more than its caller has waited.
constexpr absl::Duration kShortestWait = absl::Milliseconds(1);
// A call with as much time may wait a little until it is received: ReadPause.
constexpr absl::Duration kTimeToSpare = absl::Milliseconds(100);
// How long a peer may go on with its requests once it has the status.
constexpr absl::Duration kEndTime = absl::Milliseconds(500);
// About what the handler of a stream takes while the stream is idle.
constexpr std::size_t kStreamCallBytes = 6144;

}  // namespace

void Stream::Begin(Session* session, std::int32_t id) {
  session_ = session;
  id_ = id;
  deadline_ = Instant::InfiniteFuture();
  waiting_since_ = session->now();
  message_.SetAccount(session->account());
  backlog_.SetAccount(session->account());
  compressed_.SetAccount(session->account());
}

bool Stream::AddHeader(std::string_view name, std::string_view value) {
  constexpr std::size_t kOverhead = 32;  // RFC 9113, section 6.5.2
  header_bytes_ += name.size() + value.size() + kOverhead;
  const std::size_t most = session_->core()->limits().header_bytes;
  if (header_bytes_ <= most) headers_.Add(name, value);
  return header_bytes_ <= 2 * most;
}

void Stream::OnHeadersEnd() {
  Http2Core* const core = session_->core();
  const std::size_t most = core->limits().header_bytes;
  if (header_bytes_ > most) {
    return RefuseFor(Limit::kHeaderBytes,
                     absl::ResourceExhaustedError(absl::StrCat("the headers have ", header_bytes_,
                                                               " bytes, wanted at most ", most)));
  }
  http_status_ = headers_.CheckHttp(&page_);
  if (!headers_.wrong().ok() && is_call()) return Refuse(headers_.wrong());
  method_ = is_call() ? core->FindMethod(headers_.path()) : nullptr;
  if (method_ == nullptr && is_call()) {
    return Refuse(NoSuchMethod(headers_.path(), core->services()));
  }
  const bool is_stream = is_call() && !is_unary();
  const std::size_t bytes = header_bytes_ + (is_stream ? kStreamCallBytes : 0);
  if (!session_->account()->Take(bytes)) {
    return RefuseFor(Limit::kMemory, NoMemoryFor("headers"));
  }
  charged_bytes_ = bytes;
  if (!is_call()) return;
  if (headers_.timeout() != absl::InfiniteDuration()) {
    deadline_ = session_->now() + headers_.timeout();
    session_->SetTimer(this, deadline_);
  }
  if (is_unary()) return;
  waiting_since_ = Instant::InfiniteFuture();
  StartCall();
}

void Stream::OnData(std::span<const std::uint8_t> bytes) {
  if (ended_) return;
  if (!is_call()) return session_->Consume(id_, bytes.size());
  const std::size_t all = bytes.size();
  while (!bytes.empty() && !complete_ && backlog_.size() == backlog_taken_) {
    bytes = bytes.subspan(Feed(bytes));
    if (!is_unary()) Pump();
    if (ended_) return;
  }
  if (!bytes.empty()) {
    if (is_unary()) {
      return Refuse(absl::UnimplementedError("the method takes one request, and more were sent"));
    }
    if (!backlog_.Append(bytes, bytes.size())) {
      return RefuseFor(Limit::kMemory, NoMemoryFor("requests"));
    }
  }
  // Until the call reads again, no more than the window can arrive.
  if (complete_ && !is_unary()) {
    unconsumed_ += all;
  } else {
    session_->Consume(id_, all);
  }
  if (is_unary()) return;
  const bool waits = !complete_ && prefix_size_ > 0;
  if (waits != (waiting_since_ != Instant::InfiniteFuture())) {
    waiting_since_ = waits ? session_->now() : Instant::InfiniteFuture();
  }
}

std::size_t Stream::Feed(std::span<const std::uint8_t> bytes) {
  const std::size_t all = bytes.size();
  if (prefix_size_ < kPrefixBytes) {
    const std::size_t part = std::min(kPrefixBytes - prefix_size_, bytes.size());
    std::copy_n(bytes.begin(), part, prefix_.begin() + prefix_size_);
    prefix_size_ += part;
    bytes = bytes.subspan(part);
    if (prefix_size_ < kPrefixBytes) return all;
    const Prefix prefix = ReadPrefix(prefix_);
    const std::size_t most = session_->core()->limits().message_bytes;
    left_ = prefix.size;
    if (prefix.size > most) {
      RefuseFor(Limit::kMessageBytes,
                absl::ResourceExhaustedError(absl::StrCat("the request has ", prefix.size,
                                                          " bytes, wanted at most ", most)));
      return all;
    }
    if (prefix.compressed > 1) {
      Refuse(absl::InternalError(
          absl::StrCat("the first byte of a request is ", prefix.compressed, ", wanted 0 or 1")));
      return all;
    }
  }
  const std::size_t part = std::min(left_, bytes.size());
  if (!message_.Append(bytes.first(part), left_)) {
    RefuseFor(Limit::kMemory, NoMemoryFor("requests"));
    return all;
  }
  left_ -= part;
  if (left_ == 0) OnMessage();
  return all - (bytes.size() - part);
}

std::span<std::uint8_t> Stream::Tail() {
  if (ended_ || complete_ || prefix_size_ < kPrefixBytes || left_ < kReceiveInPlace ||
      backlog_.size() != backlog_taken_) {
    return {};
  }
  const std::span<std::uint8_t> tail = message_.Tail(left_);
  return tail.first(std::min(tail.size(), left_));
}

void Stream::OnMessage() {
  complete_ = true;
  if (ReadPrefix(prefix_).compressed == 0) return;
  if (headers_.encoding() == Encoding::kIdentity) {
    return Refuse(absl::InternalError(
        "a request is marked as compressed, but the call has no grpc-encoding"));
  }
  Http2Message inflated(session_->account());
  absl::Status status =
      Inflate(headers_.encoding(), &message_, session_->core()->limits().message_bytes, &inflated);
  if (absl::IsResourceExhausted(status)) return RefuseFor(Limit::kMessageBytes, status);
  if (!status.ok()) return Refuse(status);
  message_.Swap(inflated);
}

void Stream::Pump() {
  if (std::exchange(pumping_, true)) return;
  while (!ended_) {
    if (complete_) {
      if (into_ == nullptr || ended_) break;
      complete_ = false;
      prefix_size_ = 0;
      into_->Swap(message_);
      message_.Clear();
      into_ = nullptr;
      call_->OnRead(true);
    } else if (backlog_taken_ < backlog_.size()) {
      backlog_taken_ += Feed(backlog_.PieceAt(backlog_taken_));
      if (backlog_taken_ < backlog_.size()) continue;
      backlog_.Clear();
      backlog_taken_ = 0;
    } else {
      if (unconsumed_ > 0) session_->Consume(id_, std::exchange(unconsumed_, 0));
      if (!requests_ended_) break;
      if (prefix_size_ > 0) {
        Refuse(absl::InternalError("the call ended in the middle of a request"));
        break;
      }
      if (into_ == nullptr || ended_) break;
      into_ = nullptr;
      call_->OnRead(false);
    }
  }
  pumping_ = false;
}

void Stream::OnRequestsEnd() {
  requests_ended_ = true;
  if (ended_) return;
  if (!is_call()) return SendPage();
  if (!is_unary()) return Pump();
  if (prefix_size_ > 0 && !complete_) {
    return Refuse(absl::InternalError("the call ended in the middle of a request"));
  }
  if (!complete_) {
    return Refuse(absl::UnimplementedError("the method takes one request, and none was sent"));
  }
  waiting_since_ = Instant::InfiniteFuture();
  StartCall();
  ReportTaken();
}

void Stream::ReportTaken() {
  if (deadline_ - session_->now() < kTimeToSpare) return;
  if (ended_ && absl::IsResourceExhausted(status_)) {
    session_->OnRejected();
  } else {
    session_->OnTaken();
  }
}

void Stream::StartCall() {
  std::shared_ptr<Session> session = session_->self();
  if (is_unary()) {
    std::unique_ptr<Http2UnaryRpc> rpc = method_->idle.Take();
    if (rpc == nullptr) rpc = std::make_unique<Http2UnaryRpc>(session_->core(), method_);
    rpc->SetRequest(&message_);
    call_ = rpc.release();  // owns itself until it is kept for another call
  } else {
    call_ = new Http2StreamRpc(session_->core(), method_);  // owns itself
  }
  call_->Start(std::move(session), this, deadline_, headers_.metadata());
}

std::string_view Stream::RequestId() {
  // A call takes the metadata when it starts.
  if (call_ != nullptr) return call_->RequestId();
  return headers_.metadata()->Find(kRequestIdKey).value_or("");
}

bool Stream::is_unary() const { return method_->unary != nullptr; }

void Stream::OnTimer() {
  session_->SetTimer(this, Instant::InfiniteFuture());
  if (!ended_) return Refuse(absl::DeadlineExceededError("the deadline has passed"));
  nghttp2_submit_rst_stream(session_->h2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

void Stream::OnStatusSent() {
  status_sent_ = true;
  if (status_.ok()) session_->OnResponse();
  if (requests_ended_) return;  // closes by itself
  // RFC 9113, section 8.1: nothing more is wanted of a request that was responded to early. But a
  // proxy may forget a response when a reset follows at once, so the peer has time to end.
  session_->SetTimer(this, session_->now() + kEndTime);
  if (Http2Call* const call = std::exchange(call_, nullptr)) call->OnStreamClosed(true);
}

void Stream::CheckPatience() {
  const Http2Limits& limits = session_->core()->limits();
  const absl::Duration waited = session_->now() - waiting_since_;
  if (!ended_ && waited > limits.message_timeout) {
    RefuseFor(Limit::kMessageTimeout, absl::ResourceExhaustedError(absl::StrCat(
                                          "the request was not complete within ",
                                          absl::FormatDuration(limits.message_timeout))));
  } else if (ended_ && !status_sent_ && waited > limits.send_timeout) {
    session_->core()->OnLimit(Limit::kSendTimeout);
    Reset();
  }
}

void Stream::Shed() {
  if (waiting_since_ == Instant::InfiniteFuture()) return;
  if (!ended_) {
    RefuseFor(Limit::kMemory, NoMemoryFor("requests"));
  } else if (!status_sent_) {
    session_->core()->OnLimit(Limit::kMemory);
    Reset();
  }
}

void Stream::Reset() {
  waiting_since_ = Instant::InfiniteFuture();
  nghttp2_submit_rst_stream(session_->h2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
}

bool Stream::WasGivenUpInTime() const {
  const absl::Duration timeout = headers_.timeout();
  return deadline_ != Instant::InfiniteFuture() && timeout >= kShortestWait &&
         session_->now() >= deadline_ - timeout / 2;
}

void Stream::OnClosed() {
  if (WasGivenUpInTime()) session_->OnGivenUp();
  ended_ = true;
  session_->SetTimer(this, Instant::InfiniteFuture());
  sending_ = nullptr;
  into_ = nullptr;
  if (Http2Call* const call = std::exchange(call_, nullptr)) call->OnStreamClosed(status_sent_);
  for (Http2Message* const message : {&message_, &backlog_, &compressed_}) {
    message->Clear();
    message->SetAccount(nullptr);
  }
  session_->account()->Give(std::exchange(charged_bytes_, 0));
  if (header_bytes_ > kKeptHeaderBytes) {
    headers_ = RequestHeaders();
  } else {
    headers_.Clear();
  }
  header_bytes_ = prefix_size_ = left_ = backlog_taken_ = unconsumed_ = sent_ = 0;
  http_status_ = kHttpOk;
  page_.clear();
  method_ = nullptr;
  complete_ = pumping_ = requests_ended_ = false;
  headers_sent_ = deferred_ = written_ = ended_ = status_sent_ = false;
  status_ = absl::OkStatus();
  trailers_.clear();
}

void Stream::Read(Http2Message* into) {
  into_ = into;
  Pump();
}

void Stream::Write(const OwnedMetadata& initial, Http2Message* message) {
  if (ended_) return;  // the write ends when the stream closes
  if (!StartSending(message)) return;
  SendHeaders(initial);
  Resume();
}

void Stream::Finish(const OwnedMetadata& initial, const absl::Status& status,
                    const OwnedMetadata& trailers, Http2Message* message) {
  if (ended_) return;
  const bool sends_message = status.ok() && message != nullptr;
  if (sends_message && !StartSending(message)) return;
  if (sends_message || !initial.empty()) SendHeaders(initial);
  SendStatus(status, trailers);
}

absl::Status Stream::NoMemoryFor(std::string_view what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the server has no memory left for ", std::string(what),
                   " of this connection; read responses, and retry later"));
}

void Stream::Refuse(const absl::Status& status) {
  if (ended_) return;
  if (sending_ != nullptr && sent_ > 0) {
    // A part of a message has been sent, and no status can follow that.
    ended_ = true;
    nghttp2_submit_rst_stream(session_->h2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  } else {
    sending_ = nullptr;
    SendStatus(status, {});
  }
  into_ = nullptr;
  message_.Clear();
  backlog_.Clear();
  backlog_taken_ = 0;
  if (call_ != nullptr) call_->Cancel();
}

void Stream::RefuseFor(Limit limit, const absl::Status& status) {
  if (!ended_) session_->core()->OnLimit(limit);
  Refuse(WithReason(status, kLimitLabels[static_cast<std::size_t>(limit)]));
}

}  // namespace hellocnn::server
