// The life of a call on a completion queue: what is asked of gRPC, what it answers, and when the
// last of that has come. gRPC's asynchronous API says in which order operations may be started;
// here is said who owns what until when.
#ifndef HELLOCNN_SERVER_RPC_ASYNC_CALL_H_
#define HELLOCNN_SERVER_RPC_ASYNC_CALL_H_

#include <google/protobuf/arena.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <cstddef>

#include "server/rpc/completion_events.h"

namespace hellocnn::server {

// What both kinds of calls have in common. A call object is made before its call exists: Listen
// hands it to gRPC, which fills it with the next call of the method.
//
// Reactions run on the threads that handle the queue's events, several at a time if there are
// several threads. OnCall returns before OnCancel is called. OnDone is the last, when every
// operation has come back; after it the object goes.
class AsyncCall {
 public:
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

 protected:
  // Its events are of `events`, which outlives it.
  explicit AsyncCall(CompletionEvents* events) : events_(events) {
    events_->Enter();
    context_.AsyncNotifyWhenDone(ended_.tag());
  }
  virtual ~AsyncCall() { events_->Leave(); }

  // The call is there. Finish must follow, now or later.
  virtual void OnCall() = 0;
  // The caller has gone, or its deadline has passed. Finish must still follow.
  virtual void OnCancel() {}
  // The call is over.
  virtual void OnDone() {}
  // Gives up the object: it owns itself. Without OnDone before it, no call has come.
  virtual void Dispose() { delete this; }

  CompletionEvents* events() const { return events_; }
  const grpc::ServerContext& context() const { return context_; }
  grpc::ServerContext& context() { return context_; }

  // An operation is under way; Release when it has come back, as the last thing that is done then.
  void Hold() { held_.fetch_add(1, std::memory_order_relaxed); }
  void Release() {
    if (held_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    OnDone();
    Dispose();
  }

  void* arrived_tag() { return arrived_.tag(); }
  void* finished_tag() { return finished_.tag(); }

 private:
  void Arrived(bool ok) {
    if (!ok) return Dispose();  // the server shuts down; nothing else will come
    OnCall();
    if (progress_.fetch_or(kCalled, std::memory_order_acq_rel) == kCancelled) OnCancel();
    Release();
  }
  void Ended(bool /*ok*/) {
    if (context_.IsCancelled() &&
        progress_.fetch_or(kCancelled, std::memory_order_acq_rel) == kCalled) {
      OnCancel();
    }
    Release();
  }
  void Finished(bool /*ok*/) { Release(); }

  CompletionEvents* const events_;
  CompletionOf<AsyncCall> arrived_{this, &AsyncCall::Arrived};
  CompletionOf<AsyncCall> ended_{this, &AsyncCall::Ended};
  CompletionOf<AsyncCall> finished_{this, &AsyncCall::Finished};
  std::atomic<int> held_{3};  // by these three

  // Whoever comes second of the end of OnCall and a cancellation calls OnCancel.
  static constexpr int kCalled = 1;
  static constexpr int kCancelled = 2;
  std::atomic<int> progress_{0};
  grpc::ServerContext context_;
};

// One request, one answer.
template <typename Request, typename Response>
class UnaryCall : public AsyncCall {
 protected:
  using AsyncCall::AsyncCall;

  // `method` is the Request… function of the generated AsyncService.
  template <typename Service, typename Method>
  void Listen(Service* service, Method method) {
    grpc::ServerCompletionQueue* const queue = events()->queue();
    (service->*method)(&context(), request_, &writer_, queue, queue, arrived_tag());
  }

  const Request& request() const { return *request_; }
  // To be filled before Finish with OK.
  Response* response() { return response_; }

  // Once. The object may be gone when it returns, unless OnCall is still running.
  void Finish(const grpc::Status& status) {
    if (status.ok()) {
      writer_.Finish(*response_, status, finished_tag());
    } else {
      writer_.FinishWithError(status, finished_tag());
    }
  }

 private:
  // A request of many images and its answer are hundreds of small objects, which malloc would be
  // asked for one by one. The first block is enough for a few images; pixels are not in it.
  alignas(std::max_align_t) char block_[2048];
  google::protobuf::Arena arena_{block_, sizeof(block_)};
  Request* const request_ = google::protobuf::Arena::CreateMessage<Request>(&arena_);
  Response* const response_ = google::protobuf::Arena::CreateMessage<Response>(&arena_);
  grpc::ServerAsyncResponseWriter<Response> writer_{&context()};
};

// Requests and answers in any order, at most one read and one write at a time.
template <typename Request, typename Response>
class BidiCall : public AsyncCall {
 protected:
  using AsyncCall::AsyncCall;

  template <typename Service, typename Method>
  void Listen(Service* service, Method method) {
    grpc::ServerCompletionQueue* const queue = events()->queue();
    (service->*method)(&context(), &stream_, queue, queue, arrived_tag());
  }

  // The read has come back. False: there will be no more.
  virtual void OnReadDone(bool ok) = 0;
  // False: the caller has gone.
  virtual void OnWriteDone(bool ok) = 0;

  // `request` and `response` must stay until the reaction.
  void StartRead(Request* request) {
    Hold();
    stream_.Read(request, read_.tag());
  }
  void StartWrite(const Response& response) {
    Hold();
    stream_.Write(response, written_.tag());
  }
  // Once, with no write under way. A read that is comes back with false.
  void Finish(const grpc::Status& status) { stream_.Finish(status, finished_tag()); }

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
  grpc::ServerAsyncReaderWriter<Response, Request> stream_{&context()};
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ASYNC_CALL_H_
