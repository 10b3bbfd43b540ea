// Makes the completions of a gRPC completion queue the events that workers handle.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_COMPLETION_EVENTS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_COMPLETION_EVENTS_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/runtime/event_queue.h"

namespace hellocnn::server {

// The type of every tag that this project puts into a completion queue. A tag is always a pointer
// to this class, never to a derived class.
class Completion {
 public:
  // Called when the operation has ended. gRPC documents the meaning of `ok` for each operation.
  virtual void OnComplete(bool ok) = 0;
  void* tag() { return this; }

 protected:
  ~Completion() = default;
};

// A completion that calls a member function of its owner. It is a member of the owner.
template <typename Owner>
class CompletionOf final : public Completion {
 public:
  using Reaction = void (Owner::*)(bool ok);
  CompletionOf(Owner* owner, Reaction reaction) : owner_(owner), reaction_(reaction) {}
  void OnComplete(bool ok) override { (owner_->*reaction_)(ok); }

 private:
  Owner* const owner_;
  const Reaction reaction_;
};

// The events of one gRPC completion queue. Thread-safe.
class CompletionEvents final : public EventQueue {
 public:
  explicit CompletionEvents(std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : queue_(std::move(queue)) {}
  // Closes the queue and handles the remaining events. The gRPC server must have been shut down but
  // must still exist, because some of these events belong to it.
  ~CompletionEvents() override;

  // A call object calls Hold before it starts operations on the queue, and Release when it will
  // start no more. Between the two calls, the queue stays open.
  void Hold() { ++calls_; }
  void Release() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (--calls_ == 0 && closing_) CloseNow();
  }

  // Returns the queue, for operations whose completions are to arrive here. This object owns it.
  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  // See EventQueue::Wait. The timeout is accurate to 50 us.
  Got Wait(Instant until, Event* event) override;
  void Handle(const Event& event) override {
    static_cast<Completion*>(event.tag)->OnComplete(event.ok);
  }
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins to close the queue. It ends when the last call object has left. The gRPC server must
  // have begun to shut down, because call objects that wait for calls leave only then.
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void CloseNow() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::Alarm alarm_;
  std::atomic<bool> waking_{false};  // true from setting alarm_ until its event arrives
  std::atomic<int> calls_{0};
  std::atomic<bool> closing_{false};
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_COMPLETION_EVENTS_H_
