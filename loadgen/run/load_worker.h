// Sends one part of the load. A worker has a completion queue with connections, a thread that
// empties the queue and, in an open loop, another thread that sends.
#ifndef HELLOCNN_LOADGEN_RUN_LOAD_WORKER_H_
#define HELLOCNN_LOADGEN_RUN_LOAD_WORKER_H_

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "loadgen/core/caller.h"
#include "loadgen/core/ledger.h"
#include "loadgen/core/pacer.h"
#include "loadgen/core/ring.h"

namespace hellocnn::load {

struct WorkerOptions {
  const Protocol* protocol;  // outlives the worker
  Channels channels;         // at least one
  int slots;  // closed loop: requests always in flight; open loop: most in flight; >= 1
  std::size_t first_request;  // index of the protocol's request to begin with
  Nanos timeout;              // of each request
  Nanos warm_up;
  Nanos interval;  // of the ledger
};

// The thread that creates a worker starts it and collects from it. The sending thread sleeps until
// each request is due. It never waits for a response unless all slots are taken; requests are then
// held back.
class LoadWorker {
 public:
  LoadWorker(const WorkerOptions& options, Pacer pacer);
  // Waits for the requests in flight.
  ~LoadWorker();

  void Start(SteadyClock::time_point start);
  // Ends sending. Does not block.
  void StopSending() { stop_.store(true, std::memory_order_relaxed); }
  // Cancels the requests in flight, after StopSending. Does not block.
  void CancelCalls() { cancel_.store(true, std::memory_order_relaxed); }

  // Returns true if no more requests will be sent, because of the pacer or StopSending. Requests
  // may still be in flight.
  bool sent_all() const { return sent_all_.load(std::memory_order_acquire); }
  // Returns true if sending ended because the duration is over. Valid once sent_all().
  bool ended_by_time() const { return pacer_.ended_by_time(); }
  // Returns the number of requests that CancelCalls ended. The ledger does not have them.
  std::int64_t cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Returns true if sent_all() and no request is in flight. The ledger is then complete.
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  Ledger& ledger() { return ledger_; }
  std::int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  // Returns the CPU time so far of its busiest thread.
  Nanos BusiestThread();

 private:
  struct Slot {
    Sample sample;
    bool measured;
  };

  Nanos Now() const { return SteadyClock::now() - start_; }
  void Send(int slot, const Departure& departure, Nanos now, bool held);
  void SendOnSchedule();
  void RefillClosedLoop(int slot);
  void OnEnd(int slot, Verdict& verdict);
  void HandleEvents();
  bool Stopped() const { return stop_.load(std::memory_order_relaxed); }

  const WorkerOptions options_;
  Pacer pacer_;  // used by the sending thread only
  Ledger ledger_;
  grpc::CompletionQueue queue_;
  std::vector<Slot> slots_;  // each is used by the thread that has its request
  Ring free_;                // passes free slots from the handling thread to the sending thread
  std::unique_ptr<Caller> caller_;
  std::size_t next_request_;
  SteadyClock::time_point start_;
  Nanos event_at_{0};  // when the current event was taken from the queue
  std::atomic<bool> stop_ = false;
  std::atomic<bool> cancel_ = false;
  std::atomic<std::int64_t> cancelled_ = 0;
  std::atomic<bool> sent_all_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<std::int64_t> in_flight_ = 0;
  std::atomic<std::int64_t> sender_cpu_ = 0;  // nanoseconds, set once the thread has ended
  std::atomic<std::int64_t> handler_cpu_ = 0;
  std::thread sender_;
  std::thread handler_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_LOAD_WORKER_H_
