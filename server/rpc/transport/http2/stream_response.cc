// The part of a stream that sends: the headers, messages and status of a call, or a page.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/rpc/errors/error_trailers.h"
#include "server/rpc/transport/http2/compression.h"
#include "server/rpc/transport/http2/grpc_wire.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/session.h"
#include "server/rpc/transport/http2/stream.h"

namespace hellocnn::server {
namespace {

constexpr std::uint8_t kConstantName = NGHTTP2_NV_FLAG_NO_COPY_NAME;
constexpr std::uint8_t kConstant = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
// The next response will hardly have the same value, so both sides need not remember it.
constexpr std::uint8_t kOnce = NGHTTP2_NV_FLAG_NO_INDEX;

using HeaderList = absl::InlinedVector<nghttp2_nv, 8>;

// nghttp2 does not write to the memory. It copies what `flags` does not call constant.
nghttp2_nv Header(std::string_view name, std::string_view value, std::uint8_t flags) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

std::ptrdiff_t FillStream(nghttp2_session* /*session*/, std::int32_t /*id*/, std::uint8_t* to,
                          std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                          void* /*user*/) {
  return static_cast<Stream*>(source->ptr)->Fill({to, size}, flags);
}

std::ptrdiff_t FillStreamPage(nghttp2_session* /*session*/, std::int32_t /*id*/, std::uint8_t* to,
                              std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                              void* /*user*/) {
  return static_cast<Stream*>(source->ptr)->FillPage({to, size}, flags);
}

std::string_view CodeText(int code) {
  static constexpr std::string_view kCodes[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                "9", "10", "11", "12", "13", "14", "15", "16"};
  constexpr std::string_view kUnknown = "2";
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kCodes) ? kCodes[index] : kUnknown;
}

}  // namespace

bool Stream::StartSending(Http2Message* message) {
  absl::Status status;
  if (session_->account()->overdrawn()) {
    status = NoMemoryFor("responses");
  }
  const bool compress = headers_.response_encoding() != Encoding::kIdentity;
  if (compress && status.ok()) {
    compressed_.Clear();
    status = Deflate(headers_.response_encoding(), message, &compressed_);
    message = &compressed_;
  }
  if (!status.ok()) {
    RefuseFor(Limit::kMemory, status);
    return false;
  }
  sending_ = message;
  sent_ = 0;
  WritePrefix({.compressed = static_cast<std::uint8_t>(compress), .size = message->size()},
              sending_prefix_);
  return true;
}

void Stream::SendPage() {
  ended_ = headers_sent_ = true;
  waiting_since_ = session_->now();
  page_ += '\n';
  const std::string http_status = absl::StrCat(http_status_);
  HeaderList headers = {Header(":status", http_status, kConstantName),
                        Header("content-type", "text/plain", kConstant)};
  if (http_status_ == kMethodNotAllowed) headers.push_back(Header("allow", "POST", kConstant));
  nghttp2_data_provider provider{.source = {.ptr = this}, .read_callback = FillStreamPage};
  nghttp2_submit_response(session_->h2(), id_, headers.data(), headers.size(),
                          headers_.is_head() ? nullptr : &provider);
}

std::ptrdiff_t Stream::FillPage(std::span<std::uint8_t> to, std::uint32_t* flags) {
  const std::size_t filled = std::min(page_.size() - sent_, to.size());
  std::copy_n(page_.begin() + static_cast<std::ptrdiff_t>(sent_), filled, to.begin());
  sent_ += filled;
  if (sent_ == page_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<std::ptrdiff_t>(filled);
}

void Stream::SendHeaders(const OwnedMetadata& initial) {
  if (std::exchange(headers_sent_, true)) return;
  HeaderList headers = {Header(":status", "200", kConstant),
                        Header("content-type", "application/grpc", kConstant)};
  if (headers_.response_encoding() != Encoding::kIdentity) {
    headers.push_back(Header("grpc-encoding", NameOf(headers_.response_encoding()), kConstant));
  }
  for (const auto& [key, value] : initial) {
    headers.push_back(Header(key, value, NGHTTP2_NV_FLAG_NONE));
  }
  nghttp2_data_provider provider{.source = {.ptr = this}, .read_callback = FillStream};
  nghttp2_submit_response(session_->h2(), id_, headers.data(), headers.size(), &provider);
}

void Stream::SendStatus(const absl::Status& status, const OwnedMetadata& trailers) {
  ended_ = true;
  session_->SetTimer(this, Instant::InfiniteFuture());
  waiting_since_ = session_->now();
  status_ = status;
  if (headers_sent_) {
    trailers_ = trailers;
    return Resume();
  }
  headers_sent_ = true;
  SubmitStatus(trailers, /*alone=*/true);
}

void Stream::SubmitStatus(const OwnedMetadata& trailers, bool alone) {
  // nghttp2 copies what is not constant before it returns.
  std::string message;
  const absl::string_view text = status_.message();
  AppendPercentEncoded({text.data(), text.size()}, &message);
  HeaderList headers;
  if (alone) {
    headers.push_back(Header(":status", "200", kConstant));
    headers.push_back(Header("content-type", "application/grpc", kConstant));
    if (absl::IsUnimplemented(status_)) {
      headers.push_back(Header("grpc-accept-encoding", "identity,deflate,gzip", kConstant));
    }
  }
  headers.push_back(Header("grpc-status", CodeText(status_.raw_code()), kConstant));
  if (!message.empty()) headers.push_back(Header("grpc-message", message, kConstantName | kOnce));
  const ErrorTrailers error(status_, RequestId());
  OwnedMetadata details;
  for (const auto& [key, value] : error.get()) {
    details.emplace_back(key, ValueToSend(key, value));
  }
  for (const OwnedMetadata& all : {std::cref(details), std::cref(trailers)}) {
    for (const auto& [key, value] : all) headers.push_back(Header(key, value, kOnce));
  }
  if (alone) {
    nghttp2_submit_response(session_->h2(), id_, headers.data(), headers.size(), nullptr);
  } else {
    nghttp2_submit_trailer(session_->h2(), id_, headers.data(), headers.size());
  }
}

std::ptrdiff_t Stream::Fill(std::span<std::uint8_t> to, std::uint32_t* flags) {
  std::size_t filled = 0;
  if (sending_ != nullptr) {
    if (sent_ < kPrefixBytes) {
      filled = std::min(kPrefixBytes - sent_, to.size());
      std::copy_n(sending_prefix_.begin() + sent_, filled, to.begin());
      sent_ += filled;
    }
    const std::size_t part = sending_->CopyTo(sent_ - kPrefixBytes, to.subspan(filled));
    filled += part;
    sent_ += part;
    if (sent_ == kPrefixBytes + sending_->size()) {
      sending_ = nullptr;
      written_ = !ended_;
      if (written_) session_->OnFilled(id_);
    }
  }
  if (sending_ == nullptr && ended_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    SubmitStatus(trailers_, /*alone=*/false);
  } else if (filled == 0) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<std::ptrdiff_t>(filled);
}

void Stream::AfterFill() {
  if (std::exchange(written_, false) && call_ != nullptr) call_->OnWritten();
}

void Stream::Resume() {
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(session_->h2(), id_);
}

}  // namespace hellocnn::server
