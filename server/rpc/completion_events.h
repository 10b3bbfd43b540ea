// A gRPC completion queue as the events that workers handle.
#ifndef HELLOCNN_SERVER_RPC_COMPLETION_EVENTS_H_
#define HELLOCNN_SERVER_RPC_COMPLETION_EVENTS_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/runtime/event_queue.h"

namespace hellocnn::server {

// What this project puts into a completion queue as a tag: as a pointer to this class and no other.
class Completion {
 public:
  // The operation is over; `ok` as gRPC documents it for each operation.
  virtual void OnComplete(bool ok) = 0;
  void* tag() { return this; }

 protected:
  ~Completion() = default;
};

// Calls a member function of its owner, which holds it.
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

// Thread-safe.
class CompletionEvents final : public EventQueue {
 public:
  explicit CompletionEvents(std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : queue_(std::move(queue)) {}
  // Closes, and handles what is left. The gRPC server must have shut down and still be there: some
  // of what is left is its own.
  ~CompletionEvents() override;

  // A call object will start operations on the queue, or will start no more. Between the two the
  // queue stays open.
  void Enter() { ++calls_; }
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (--calls_ == 0 && closing_) Shutdown();
  }

  // For the operations whose completions are to come here. Owned by this.
  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  // To within 50 us of `until`.
  Got Wait(Instant until, Event* event) override;
  void Handle(const Event& event) override {
    static_cast<Completion*>(event.tag)->OnComplete(event.ok);
  }
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_);
  // The end comes when the last call object has left. The gRPC server must have begun to shut down:
  // only then do those leave that wait for calls.
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::Alarm alarm_;
  std::atomic<bool> waking_{false};  // alarm_ is set and its event has not been given out
  std::atomic<int> calls_{0};
  std::atomic<bool> closing_{false};
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_COMPLETION_EVENTS_H_
