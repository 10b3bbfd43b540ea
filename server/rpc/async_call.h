// The life of a call on a completion queue: what is asked of gRPC, what it answers, and when the
// last of that has come. gRPC's asynchronous API says in which order operations may be started;
// here is said who owns what until when.
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

// What both kinds of calls have in common. A call object is made before its call exists: Listen
// hands it to gRPC, which fills it with the next call of the method.
//
// Reactions run on the threads that handle the queue's events, several at a time if there are
// several threads. OnCall returns before OnCancel is called. OnDone is the last, when every
// operation has come back; after it the object goes, or waits for another call.
class AsyncCall {
 public:
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

 protected:
  // Its events are of `events`, which outlives its calls.
  explicit AsyncCall(CompletionEvents* events) : events_(events) {}
  virtual ~AsyncCall() = default;

  // Makes the object ready to be handed to gRPC, each time.
  void Begin() {
    events_->Enter();
    held_.store(kOperations, std::memory_order_relaxed);
    progress_.store(0, std::memory_order_relaxed);
    context_.emplace();
    context_->AsyncNotifyWhenDone(ended_.tag());
  }

  // The call is there. Finish must follow, now or later.
  virtual void OnCall() = 0;
  // The caller has gone, or its deadline has passed. Finish must still follow.
  virtual void OnCancel() {}
  // The call is over.
  virtual void OnDone() {}
  // Gives up the object, which has owned itself since Begin: deletes it, or Clears it and puts it
  // where it waits for another call. Without OnDone before it, no call has come.
  virtual void Dispose() { delete this; }
  void Clear() { context_.reset(); }

  CompletionEvents* events() const { return events_; }
  const grpc::ServerContext& context() const { return *context_; }
  grpc::ServerContext& context() { return *context_; }

  // Something is under way that needs the object; Release when it has come back, as the last thing
  // that is done then.
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
    if (!ok) return End();  // the server shuts down; nothing else will come
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
  static constexpr int kOperations = 3;  // these three hold it
  std::atomic<int> held_{0};

  // Whoever comes second of the end of OnCall and a cancellation calls OnCancel.
  static constexpr int kCalled = 1;
  static constexpr int kCancelled = 2;
  std::atomic<int> progress_{0};
  std::optional<grpc::ServerContext> context_;  // from Begin to Clear; each call needs a new one
};

// Both kinds carry bytes, which request.h and bytes.h read and write. gRPC would parse requests
// into messages, but what it cannot parse it answers by itself, with INTERNAL and seen by no
// metric, or takes for the end of a stream; and protobuf would copy all pixels. A unary call
// without any message it still answers so.

// One request, one answer.
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

  // From OnCall until one of the next two.
  grpc::ByteBuffer* request() { return &request_; }

  // One of these, once. The object may be gone when it returns, or serve another call, unless
  // OnCall is still running. Gives the request back: a caller may take its time for the answer.
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

// Requests and answers in any order, at most one read and one write at a time.
class BidiCall : public AsyncCall {
 protected:
  using AsyncCall::AsyncCall;

  // As UnaryCall's.
  template <typename Service, typename Method>
  void Listen(Service* service, Method method) {
    Begin();
    stream_.emplace(&context());
    grpc::ServerCompletionQueue* const queue = events()->queue();
    (service->*method)(&context(), &*stream_, queue, queue, arrived_tag());
  }

  // The read has come back. False: there will be no more.
  virtual void OnReadDone(bool ok) = 0;
  // False: the caller has gone.
  virtual void OnWriteDone(bool ok) = 0;

  // `request` must stay until the reaction.
  void StartRead(grpc::ByteBuffer* request) {
    Hold();
    stream_->Read(request, read_.tag());
  }
  void StartWrite(const grpc::ByteBuffer& answer) {
    Hold();
    stream_->Write(answer, written_.tag());
  }
  // Once, with no write under way. A read that is comes back with false.
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
