// The lifetime of a call on a completion queue: the operations that are started on it, their
// completions, and the end of the last one. gRPC's asynchronous API defines the order in which
// operations may be started. This file defines who owns a call object, and until when.
#ifndef HELLOCNN_SERVER_RPC_ASYNC_CALL_H_
#define HELLOCNN_SERVER_RPC_ASYNC_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <optional>

#include "server/rpc/completion_events.h"

namespace hellocnn::server {

// The common base of both kinds of calls. A call object is created before its call exists: Listen
// hands it to gRPC, which fills it with the next call of the method.
//
// The On… functions run on the threads that handle the queue's events. With several threads,
// several of them may run at a time. OnCall returns before OnCancel is called. OnDone is the last
// one, after every operation has completed. After it, the object is deleted or waits for another
// call.
class AsyncCall {
 public:
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

 protected:
  // The completions of the call go to `events`, which must outlive its calls.
  explicit AsyncCall(CompletionEvents* events) : events_(events) {}
  virtual ~AsyncCall() = default;

  // Prepares the object for its next call. Must be called each time before it is handed to gRPC.
  void Begin() {
    events_->Enter();
    held_.store(kOperations, std::memory_order_relaxed);
    progress_.store(0, std::memory_order_relaxed);
    context_.emplace();
    context_->AsyncNotifyWhenDone(ended_.tag());
  }

  // Called when the call has arrived. Finish must follow, now or later.
  virtual void OnCall() = 0;
  // Called when the caller has gone, or its deadline has passed. Finish must still follow.
  virtual void OnCancel() {}
  // Called when the call is over.
  virtual void OnDone() {}
  // Gives up the object, which has owned itself since Begin. An implementation deletes it, or calls
  // Clear and keeps it for another call. If OnDone was not called before, no call has arrived.
  virtual void Dispose() { delete this; }
  void Clear() { context_.reset(); }

  CompletionEvents* events() const { return events_; }
  const grpc::ServerContext& context() const { return *context_; }
  grpc::ServerContext& context() { return *context_; }

  // Hold keeps the object alive for an operation that needs it. When the operation has completed,
  // its handler must call Release as its last action.
  void Hold() { held_.fetch_add(1, std::memory_order_relaxed); }
  void Release() {
    if (held_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    OnDone();
    End();
  }

  void* arrived_tag() { return arrived_.tag(); }
  void* finished_tag() { return finished_.tag(); }

 private:
  void Arrived(bool ok) {
    if (!ok) return End();  // the server shuts down, so no other event will follow
    OnCall();
    if (progress_.fetch_or(kCalled, std::memory_order_acq_rel) == kCancelled) OnCancel();
    Release();
  }
  void Ended(bool /*ok*/) {
    if (context_->IsCancelled() &&
        progress_.fetch_or(kCancelled, std::memory_order_acq_rel) == kCalled) {
      OnCancel();
    }
    Release();
  }
  void Finished(bool /*ok*/) { Release(); }
  void End() {
    CompletionEvents* const events = events_;
    Dispose();
    events->Leave();
  }

  CompletionEvents* const events_;
  CompletionOf<AsyncCall> arrived_{this, &AsyncCall::Arrived};
  CompletionOf<AsyncCall> ended_{this, &AsyncCall::Ended};
  CompletionOf<AsyncCall> finished_{this, &AsyncCall::Finished};
  static constexpr int kOperations = 3;  // these three hold the object
  std::atomic<int> held_{0};

  // OnCall ends and the call is cancelled in any order. The later of the two calls OnCancel.
  static constexpr int kCalled = 1;
  static constexpr int kCancelled = 2;
  std::atomic<int> progress_{0};
  std::optional<grpc::ServerContext> context_;  // from Begin to Clear; each call needs a new one
};

// Both kinds carry bytes, which request.h and bytes.h read and write. gRPC could parse requests
// into messages, but it handles invalid bytes by itself. It responds with INTERNAL, which no metric
// counts, or takes them for the end of a stream. protobuf would also copy all pixels. gRPC still
// responds to a unary call without any message by itself.

// A call with one request and one response.
class UnaryCall : public AsyncCall {
 protected:
  using AsyncCall::AsyncCall;

  // `method` is the Request… function of a service for which this method is raw, as the generated
  // WithRawMethod_… makes it.
  template <typename Service, typename Method>
  void Listen(Service* service, Method method) {
    Begin();
    writer_.emplace(&context());
    grpc::ServerCompletionQueue* const queue = events()->queue();
    (service->*method)(&context(), &request_, &*writer_, queue, queue, arrived_tag());
  }
  void Clear() {
    request_.Clear();
    writer_.reset();
    AsyncCall::Clear();
  }

  // Returns the request. It is valid from OnCall until Finish or FinishWithError.
  grpc::ByteBuffer* request() { return &request_; }

  // Ends the call. Exactly one of Finish and FinishWithError must be called, once. When it returns,
  // the object may have been deleted or may serve another call, unless OnCall is still running.
  // Frees the request, because a slow caller may take long to read the response.
  void Finish(const grpc::ByteBuffer& answer) {
    request_.Clear();
    writer_->Finish(answer, grpc::Status::OK, finished_tag());
  }
  void FinishWithError(const grpc::Status& status) {
    request_.Clear();
    writer_->FinishWithError(status, finished_tag());
  }

 private:
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> writer_;
};

// A call with any number of requests and responses in any order. At most one read and one write may
// be outstanding at a time.
class BidiCall : public AsyncCall {
 protected:
  using AsyncCall::AsyncCall;

  // Has the same contract as UnaryCall::Listen.
  template <typename Service, typename Method>
  void Listen(Service* service, Method method) {
    Begin();
    stream_.emplace(&context());
    grpc::ServerCompletionQueue* const queue = events()->queue();
    (service->*method)(&context(), &*stream_, queue, queue, arrived_tag());
  }

  // Called when a read has completed. If not `ok`, there are no more messages.
  virtual void OnReadDone(bool ok) = 0;
  // Called when a write has completed. If not `ok`, the caller has gone.
  virtual void OnWriteDone(bool ok) = 0;

  // Starts a read. `request` must live until OnReadDone is called.
  void StartRead(grpc::ByteBuffer* request) {
    Hold();
    stream_->Read(request, read_.tag());
  }
  void StartWrite(const grpc::ByteBuffer& answer) {
    Hold();
    stream_->Write(answer, written_.tag());
  }
  // Ends the call. Must be called once, with no write outstanding. An outstanding read completes
  // with `ok` false.
  void Finish(const grpc::Status& status) { stream_->Finish(status, finished_tag()); }

 private:
  void Read(bool ok) {
    OnReadDone(ok);
    Release();
  }
  void Written(bool ok) {
    OnWriteDone(ok);
    Release();
  }

  CompletionOf<BidiCall> read_{this, &BidiCall::Read};
  CompletionOf<BidiCall> written_{this, &BidiCall::Written};
  std::optional<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ASYNC_CALL_H_
