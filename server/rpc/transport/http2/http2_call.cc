#include "server/rpc/transport/http2/http2_call.h"

#include <memory>
#include <utility>

#include "server/rpc/transport/http2/grpc_wire.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/session.h"
#include "server/rpc/transport/http2/stream.h"

namespace hellocnn::server {

template <typename Function>
void Http2Call::Invoke(const Function& function) {
  HoldCall();  // the function may finish the call
  ++invoking_;
  function();
  --invoking_;
  while (invoking_ == 0 && own_notes_ != 0) Apply(std::exchange(own_notes_, 0));
  ReleaseCall();
}

void Http2Call::Start(std::shared_ptr<Session> session, Stream* stream, Instant deadline,
                      CallMetadata* metadata) {
  session_ = std::move(session);
  stream_ = stream;
  deadline_ = deadline;
  caller_ = session_->caller();
  std::swap(metadata_, *metadata);
  read_outstanding_ = write_outstanding_ = cancelled_ = finished_ = false;
  holders_.store(1, std::memory_order_relaxed);
  core_->AddCall();
  OnStart();
  Invoke([this] { handler()->OnCall(); });
}

void Http2Call::Post(Note note) {
  if (Session::Current() == session_.get() && invoking_ > 0) {
    own_notes_ |= note;
    return;
  }
  const std::shared_ptr<Session> session = session_;  // may lose the call before Post returns
  session->Post(this, note);
}

std::string Http2Call::PeerOfSession() const { return session_->peer(); }

std::vector<std::string> Http2Call::CertificateNamesOfSession() const {
  return session_->certificate_names();
}

void Http2Call::AddInitial(std::string_view key, std::string_view value) {
  initial_metadata_.emplace_back(key, ValueToSend(key, value));
}

void Http2Call::SetOutcome(const absl::Status& status, std::span<const Trailer> trailers) {
  status_ = status;
  for (const Trailer& trailer : trailers)
    trailers_.emplace_back(trailer.key, ValueToSend(trailer.key, trailer.value));
}

void Http2Call::Apply(unsigned notes) {
  HoldCall();
  if ((notes & kRead) != 0) {
    read_outstanding_ = true;
    if (stream_ == nullptr || finished_) {
      OnRead(false);
    } else {
      stream_->Read(reading_);
    }
  }
  if ((notes & kWrite) != 0) {
    write_outstanding_ = true;
    if (stream_ != nullptr) {
      stream_->Write(initial_metadata_, writing_);
    } else {
      write_outstanding_ = false;
      Invoke([this] { stream_handler()->OnWritten(false); });
    }
  }
  if ((notes & kFinish) != 0) {
    finished_ = true;
    if (read_outstanding_) OnRead(false);
    if (stream_ != nullptr) {
      stream_->Finish(initial_metadata_, status_, trailers_, ResponseToSend());
    } else {
      ReleaseCall();
    }
  }
  ReleaseCall();
}

void Http2Call::OnRead(bool ok) {
  read_outstanding_ = false;
  Invoke([this, ok] { stream_handler()->OnRead(ok); });
}

void Http2Call::OnWritten() {
  write_outstanding_ = false;
  Invoke([this] { stream_handler()->OnWritten(true); });
}

void Http2Call::Cancel() {
  if (std::exchange(cancelled_, true)) return;
  Invoke([this] { handler()->OnCancel(); });
}

void Http2Call::OnStreamClosed(bool complete) {
  HoldCall();
  stream_ = nullptr;
  const bool was_finished = finished_;
  if (!complete) Cancel();
  if (read_outstanding_) OnRead(false);
  if (std::exchange(write_outstanding_, false)) {
    Invoke([this] { stream_handler()->OnWritten(false); });
  }
  // A call that was finished only now has been released by Apply.
  if (was_finished) ReleaseCall();
  ReleaseCall();
}

void Http2Call::ReleaseCall() {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  handler()->OnEnd();
  const std::shared_ptr<Session> session = std::move(session_);
  status_ = absl::OkStatus();
  initial_metadata_.clear();
  trailers_.clear();
  metadata_.Clear();
  Http2Core* const core = core_;
  Recycle();
  core->RemoveCall();
}

Http2UnaryRpc::Http2UnaryRpc(Http2Core* core, Method* method)
    : Http2RpcOf(core), method_(method), handler_(method->unary->make_handler(this)) {}

void Http2UnaryRpc::OnStart() { response_.SetAccount(session()->account()); }

void Http2UnaryRpc::Recycle() {
  request_.Clear();
  request_.SetAccount(nullptr);
  response_.Clear();
  response_.SetAccount(nullptr);
  method_->idle.Put(std::unique_ptr<Http2UnaryRpc>(this));
}

void Http2StreamRpc::OnStart() { handler_ = method_->stream->make_handler(this); }

std::unique_ptr<Message> Http2StreamRpc::MakeMessage() {
  return std::make_unique<Http2Message>(session()->account());
}

void Http2StreamRpc::Read(Message* request) {
  request->Clear();
  reading_ = static_cast<Http2Message*>(request);
  Post(kRead);
}

void Http2StreamRpc::Write(Message* response) {
  writing_ = static_cast<Http2Message*>(response);
  Post(kWrite);
}

}  // namespace hellocnn::server
