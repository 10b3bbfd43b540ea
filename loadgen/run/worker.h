// One part of the load: a completion queue with its connections, the thread that empties it and, in
// an open loop, another that sends.
#ifndef HELLOCNN_LOADGEN_RUN_WORKER_H_
#define HELLOCNN_LOADGEN_RUN_WORKER_H_

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

using Clock = std::chrono::steady_clock;

struct WorkerOptions {
  const Protocol* protocol;   // outlives the worker
  Channels channels;          // at least one
  int slots;                  // closed loop: under way always; open loop: at most. >= 1
  std::size_t first_request;  // number of the protocol's request to begin with
  Nanos timeout;              // of each request
  Nanos warm_up;
  Nanos interval;  // of the ledger
};

// The thread that makes a worker starts and collects. The sending thread sleeps until each request
// is due and never waits for an answer, unless all slots are taken: then requests are held back.
class Worker {
 public:
  Worker(const WorkerOptions& options, Pacer pacer);
  // Waits for what is under way.
  ~Worker();

  void Start(Clock::time_point start);
  // No more is sent. Does not block.
  void StopSending() { stop_.store(true, std::memory_order_relaxed); }

  // Nothing is sent any more, because of the pacer or StopSending, whatever is still under way.
  bool sent_all() const { return sent_all_.load(std::memory_order_acquire); }
  // Once sent_all(): because the duration is over.
  bool ended_by_time() const { return pacer_.ended_by_time(); }
  // sent_all(), and nothing is under way; all is in the ledger.
  bool finished() const { return finished_.load(std::memory_order_acquire); }

  Ledger& ledger() { return ledger_; }
  std::int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  // CPU time so far of that of its threads that has used most.
  Nanos BusiestThread();

 private:
  struct Slot {
    Sample sample;
    bool measured;
  };

  Nanos Now() const { return Clock::now() - start_; }
  void Send(int slot, const Departure& departure, Nanos now, bool held);
  void SendOnSchedule();
  void RefillClosedLoop(int slot);
  void End(int slot, Verdict& verdict);
  void HandleEvents();

  const WorkerOptions options_;
  Pacer pacer_;  // of the thread that sends
  Ledger ledger_;
  grpc::CompletionQueue queue_;
  std::vector<Slot> slots_;  // each of the thread that its request is with
  Ring free_;                // from the thread that handles to the one that sends
  std::unique_ptr<Caller> caller_;
  std::size_t next_request_;
  Clock::time_point start_;
  Nanos event_at_{0};  // when the event that is handled was taken from the queue
  std::atomic<bool> stop_ = false;
  std::atomic<bool> sent_all_ = false;
  std::atomic<bool> finished_ = false;
  std::atomic<std::int64_t> in_flight_ = 0;
  std::atomic<std::int64_t> sender_cpu_ = 0;  // nanoseconds, once it has ended
  std::atomic<std::int64_t> handler_cpu_ = 0;
  std::thread sender_;
  std::thread handler_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_WORKER_H_
