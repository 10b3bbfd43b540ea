// Calls on HTTP/2: between a handler, which any thread may run, and a stream, which belongs to the
// thread that runs the session.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CALL_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/transport/http2/memory.h"
#include "server/rpc/transport/http2/request_headers.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

struct Method;
class Http2Core;
class Session;
class Stream;

// Metadata with its own memory, as it is sent: binary values are Base64.
using OwnedMetadata = std::vector<std::pair<std::string, std::string>>;

// A handler's operations (Read, Write, Finish) may come from any thread. Each becomes a note to the
// session, which applies it when it runs. Notes that come from a function of the handler that the
// session runs are applied when that function has returned, without a detour.
//
// Two parties hold a call: the session, from Start until the call is finished and its stream is
// closed, and the handler between Hold and Release. When none does, the call ends.
class Http2Call {
 public:
  enum Note : unsigned { kRead = 1, kWrite = 2, kFinish = 4 };

  Http2Call(const Http2Call&) = delete;
  Http2Call& operator=(const Http2Call&) = delete;

  // The following functions are called by the thread that runs the session.

  // Begins a call of `stream`: calls OnCall. The session and the stream hold it from now on.
  void Start(std::shared_ptr<Session> session, Stream* stream, Instant deadline,
             CallMetadata* metadata);
  // Does what was noted.
  void Apply(unsigned notes);
  // Passes a message on that the stream was asked for, or says that there are no more.
  void OnRead(bool ok);
  // The message of the last Write was sent.
  void OnWritten();
  // The caller is gone or its time is up. Tells the handler, once.
  void Cancel();
  // Returns the metadata kRequestIdKey, or nothing. Valid until the call ends.
  std::string_view RequestId() const { return metadata_.Find(kRequestIdKey).value_or(""); }
  // The stream is closed. `complete` says whether the status was sent.
  void OnStreamClosed(bool complete);

 protected:
  explicit Http2Call(Http2Core* core) : core_(core) {}
  virtual ~Http2Call() = default;

  virtual CallHandler* handler() = 0;
  virtual StreamHandler* stream_handler() { return nullptr; }
  // Returns the message to send before the status; null if there is none.
  virtual Http2Message* ResponseToSend() { return nullptr; }
  // Called before the handler is.
  virtual void OnStart() {}
  // Gives up the object, or keeps it for another call.
  virtual void Recycle() = 0;

  // The following functions are called by any thread.
  void Post(Note note);
  void AddInitial(std::string_view key, std::string_view value);
  void SetOutcome(const absl::Status& status, std::span<const Trailer> trailers);
  std::string PeerOfSession() const;
  std::vector<std::string> CertificateNamesOfSession() const;
  void HoldCall() { holders_.fetch_add(1, std::memory_order_relaxed); }
  void ReleaseCall();
  Session* session() const { return session_.get(); }

  // Between OnStart and Recycle these do not change.
  Instant deadline_;
  std::uint64_t caller_ = 0;
  CallMetadata metadata_;
  // The message of the operation. Set before its note.
  Http2Message* reading_ = nullptr;
  Http2Message* writing_ = nullptr;

 private:
  friend class Session;

  // Calls `function`, a function of the handler, and then applies what it has noted.
  template <typename Function>
  void Invoke(const Function& function);

  Http2Core* const core_;
  std::shared_ptr<Session> session_;
  std::atomic<int> holders_{0};
  OwnedMetadata initial_metadata_;  // complete before the first write, and before Finish
  absl::Status status_;             // of Finish
  OwnedMetadata trailers_;

  // In the inbox of the session.
  std::atomic<unsigned> notes_{0};
  Http2Call* next_ = nullptr;

  // The following members belong to the thread that runs the session.
  Stream* stream_ = nullptr;  // null once it is closed
  unsigned own_notes_ = 0;    // of the function that it runs
  int invoking_ = 0;
  bool read_outstanding_ = false;
  bool write_outstanding_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
};

template <typename Interface>
class Http2RpcOf : public Interface, public Http2Call {
 public:
  Instant deadline() const override { return deadline_; }
  std::uint64_t caller() const override { return caller_; }
  std::optional<std::string_view> Metadata(std::string_view key) const override {
    return metadata_.Find(key);
  }
  void AddInitialMetadata(std::string_view key, std::string_view value) override {
    AddInitial(key, value);
  }
  std::string Peer() const override { return PeerOfSession(); }
  std::vector<std::string> CertificateNames() const override { return CertificateNamesOfSession(); }
  using Rpc::Finish;
  void Finish(const absl::Status& status, std::span<const Trailer> trailers) override {
    SetOutcome(status, trailers);
    Post(kFinish);
  }
  void Hold() override { HoldCall(); }
  void Release() override { ReleaseCall(); }

 protected:
  using Http2Call::Http2Call;
};

// Serves one call after another with the same handler.
class Http2UnaryRpc final : public Http2RpcOf<UnaryRpc> {
 public:
  Http2UnaryRpc(Http2Core* core, Method* method);

  Message* request() override { return &request_; }
  Message* response() override { return &response_; }
  // Takes the message as the request of the next call.
  void SetRequest(Http2Message* request) { request_.Swap(*request); }
  // Frees the request, because a slow caller may take long to read the response.
  using Http2RpcOf::Finish;
  void Finish(const absl::Status& status, std::span<const Trailer> trailers) override {
    request_.Clear();
    Http2RpcOf::Finish(status, trailers);
  }

 private:
  CallHandler* handler() override { return handler_.get(); }
  Http2Message* ResponseToSend() override { return &response_; }
  void OnStart() override;
  void Recycle() override;

  Method* const method_;
  Http2Message request_;
  Http2Message response_;
  const std::unique_ptr<CallHandler> handler_;
};

class Http2StreamRpc final : public Http2RpcOf<StreamRpc> {
 public:
  Http2StreamRpc(Http2Core* core, Method* method) : Http2RpcOf(core), method_(method) {}

  std::unique_ptr<Message> MakeMessage() override;
  void Read(Message* request) override;
  void Write(Message* response) override;

 private:
  CallHandler* handler() override { return handler_.get(); }
  StreamHandler* stream_handler() override { return handler_.get(); }
  void OnStart() override;
  void Recycle() override { delete this; }

  Method* const method_;
  std::shared_ptr<StreamHandler> handler_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CALL_H_
