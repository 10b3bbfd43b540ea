// Calls on a gRPC completion queue: the operations that are started on it, their completions, and
// the end of the last one. gRPC's asynchronous API defines the order in which operations may be
// started. This file defines who owns a call, and until when.
//
// Calls carry bytes. gRPC could parse requests into messages, but it handles invalid bytes by
// itself: it responds with INTERNAL, which no metric counts, or takes them for the end of a stream.
// protobuf would also copy all pixels. gRPC still responds to a unary call without any message by
// itself.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_RPC_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_RPC_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/transport/grpc/completion_events.h"
#include "server/rpc/transport/grpc/grpc_caller.h"
#include "server/rpc/transport/grpc/grpc_message.h"
#include "server/rpc/transport/grpc/grpc_time.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

class GrpcService;

inline void AddTrailers(std::span<const Trailer> trailers, grpc::ServerContextBase* context) {
  for (const Trailer& trailer : trailers) {
    context->AddTrailingMetadata(std::string(trailer.key), std::string(trailer.value));
  }
}

// The common part of both kinds of calls. `Interface` is UnaryRpc or StreamRpc.
//
// An object is made before its call exists: it is handed to gRPC, which fills it with the next call
// of the method. From then on, each operation on the queue holds it. When none is left, the
// object is recycled.
template <typename Interface>
class GrpcRpc : public Interface {
 public:
  GrpcRpc(const GrpcRpc&) = delete;
  GrpcRpc& operator=(const GrpcRpc&) = delete;

  Instant deadline() const override { return deadline_; }
  std::uint64_t caller() const override { return caller_; }
  std::optional<std::string_view> Metadata(std::string_view key) const override {
    const auto& metadata = context_->client_metadata();
    const auto found = metadata.find(grpc::string_ref(key.data(), key.size()));
    if (found == metadata.end()) return std::nullopt;
    return std::string_view(found->second.data(), found->second.size());
  }
  std::string Peer() const override { return context_->peer(); }
  std::vector<std::string> CertificateNames() const override { return {}; }  // it has no TLS
  void AddInitialMetadata(std::string_view key, std::string_view value) override {
    context_->AddInitialMetadata(std::string(key), std::string(value));
  }
  void Hold() override { held_.fetch_add(1, std::memory_order_relaxed); }
  void Release() override {
    if (held_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    handler()->OnEnd();
    End();
  }

 protected:
  // The completions of the calls go to `events`, which must outlive them.
  explicit GrpcRpc(CompletionEvents* events) : events_(events) {}

  // Prepares the object for its next call. Must be called each time before it is handed to gRPC.
  void Begin() {
    events_->Hold();
    held_.store(kOperations, std::memory_order_relaxed);
    progress_.store(0, std::memory_order_relaxed);
    context_.emplace();
    context_->AsyncNotifyWhenDone(ended_.tag());
  }

  // Called when the call has arrived, so that another object can wait for the next one.
  virtual void OnArrival() = 0;
  // Returns the handler. Called only after OnArrival.
  virtual CallHandler* handler() = 0;
  // Gives up the object: deletes it, or calls Clear and keeps it for another call. If OnArrival was
  // not called before, no call has arrived.
  virtual void Recycle() = 0;
  void Clear() { context_.reset(); }

  grpc::ServerContext* context() { return &*context_; }
  grpc::ServerCompletionQueue* queue() const { return events_->queue(); }
  void* arrived_tag() { return arrived_.tag(); }
  void* finished_tag() { return finished_.tag(); }
  void Add(const absl::Status& status, std::span<const Trailer> trailers) {
    if (!status.ok()) {  // else gRPC would make a map of the metadata for nothing
      AddTrailers(ErrorTrailers(status, Metadata(kRequestIdKey).value_or("")).get(), &*context_);
    }
    AddTrailers(trailers, &*context_);
  }

 private:
  void Arrived(bool ok) {
    if (!ok) return End();  // the server shuts down, so no other event will follow
    OnArrival();
    deadline_ = ToInstant(context_->raw_deadline());
    caller_ = CallerAt(&*context_);
    handler()->OnCall();
    if (progress_.fetch_or(kCalled, std::memory_order_acq_rel) == kCancelled) handler()->OnCancel();
    Release();
  }
  void Ended(bool /*ok*/) {
    if (context_->IsCancelled() &&
        progress_.fetch_or(kCancelled, std::memory_order_acq_rel) == kCalled) {
      handler()->OnCancel();
    }
    Release();
  }
  void Finished(bool /*ok*/) { Release(); }
  void End() {
    CompletionEvents* const events = events_;
    Recycle();
    events->Release();
  }

  CompletionEvents* const events_;
  CompletionOf<GrpcRpc> arrived_{this, &GrpcRpc::Arrived};
  CompletionOf<GrpcRpc> ended_{this, &GrpcRpc::Ended};
  CompletionOf<GrpcRpc> finished_{this, &GrpcRpc::Finished};
  static constexpr int kOperations = 3;  // these three hold the object
  std::atomic<int> held_{0};

  // OnCall returns and the call is cancelled in any order. The later of the two calls OnCancel.
  static constexpr int kCalled = 1;
  static constexpr int kCancelled = 2;
  std::atomic<int> progress_{0};
  std::optional<grpc::ServerContext> context_;  // from Begin to Clear; each call needs a new one
  Instant deadline_;
  std::uint64_t caller_ = 0;
};

// Waits for a call of its method, serves it with its handler, and is then kept for another call.
class GrpcUnaryRpc final : public GrpcRpc<UnaryRpc> {
 public:
  GrpcUnaryRpc(GrpcService* service, std::size_t method, CompletionEvents* events)
      : GrpcRpc(events), service_(service), method_(method) {}
  void SetHandler(std::unique_ptr<CallHandler> handler) { handler_ = std::move(handler); }

  // The object owns itself from now on until it is kept by its service.
  void Listen();

  Message* request() override { return &request_; }
  Message* response() override { return &response_; }
  using Rpc::Finish;
  // Frees the request, because a slow caller may take long to read the response.
  void Finish(const absl::Status& status, std::span<const Trailer> trailers) override;

 private:
  void OnArrival() override;
  CallHandler* handler() override { return handler_.get(); }
  void Recycle() override;

  GrpcService* const service_;
  const std::size_t method_;
  GrpcMessage request_;
  GrpcMessage response_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> writer_;
  std::unique_ptr<CallHandler> handler_;
};

// Waits for a call of its method and serves it with a handler of its own.
class GrpcStreamRpc final : public GrpcRpc<StreamRpc> {
 public:
  GrpcStreamRpc(GrpcService* service, std::size_t method, CompletionEvents* events)
      : GrpcRpc(events), service_(service), method_(method) {}

  // The object owns itself from now on.
  void Listen();

  std::unique_ptr<Message> MakeMessage() override { return std::make_unique<GrpcMessage>(); }
  void Read(Message* request) override;
  void Write(Message* response) override;
  using Rpc::Finish;
  void Finish(const absl::Status& status, std::span<const Trailer> trailers) override;

 private:
  void OnRead(bool ok) {
    handler_->OnRead(ok);
    Release();
  }
  void OnWritten(bool ok) {
    handler_->OnWritten(ok);
    Release();
  }
  void OnArrival() override;
  CallHandler* handler() override { return handler_.get(); }
  void Recycle() override { delete this; }

  GrpcService* const service_;
  const std::size_t method_;
  CompletionOf<GrpcStreamRpc> read_{this, &GrpcStreamRpc::OnRead};
  CompletionOf<GrpcStreamRpc> written_{this, &GrpcStreamRpc::OnWritten};
  std::optional<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  std::shared_ptr<StreamHandler> handler_;  // null until a call arrives
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_RPC_H_
