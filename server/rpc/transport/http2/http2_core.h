// What all connections of the transport share.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CORE_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/limits.h"
#include "server/rpc/transport/http2/memory.h"
#include "server/rpc/transport/http2/stream.h"
#include "server/rpc/transport/idle_calls.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

class Http2UnaryRpc;
class Session;

// A method by its path. Exactly one of the two is not null.
struct Method {
  const UnaryMethod* unary = nullptr;
  const StreamMethod* stream = nullptr;
  IdleCalls<Http2UnaryRpc> idle;
};

// Memory that a session uses while it runs.
struct Scratch {
  static constexpr std::size_t kReceive = 128 << 10;
  std::vector<std::uint8_t> received = std::vector<std::uint8_t>(kReceive);
  std::string to_send;
};

// Thread-safe.
class Http2Core {
 public:
  Http2Core(const Http2Limits& limits, std::vector<Service> services, Http2Events* events,
            std::function<void(Limit)> on_limit);
  ~Http2Core();

  const Http2Limits& limits() const { return limits_; }
  Http2Events* events() const { return events_; }
  MemoryBudget* memory() { return &memory_; }
  // Returns null if there is none.
  Method* FindMethod(std::string_view path);
  const std::vector<Service>& services() const { return services_; }
  void OnLimit(Limit limit) const { on_limit_(limit); }

  // Counts a stream, unless a connection that has `own` streams already may have no more now.
  bool AddStream(int own);
  void RemoveStream() { streams_.fetch_sub(1, std::memory_order_relaxed); }

  // Counts a connection from `address`, unless there may be no more.
  bool AddConnection(const std::string& address, Limit* limit) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveConnection(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  int connections() const { return connections_.load(std::memory_order_relaxed); }
  void AddSession(std::shared_ptr<Session> session) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveSession(Session* session) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Session>> sessions() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets the connection with the most memory give back what waits for its peer. One after the
  // other: until OnShed, further calls do nothing.
  void ShedGreediest() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnShed() { shedding_ = false; }

  // From now on, new connections are told to go away.
  void SetGoingAway() { going_away_ = true; }
  bool going_away() const { return going_away_; }

  // Counts the sources of calls: the listener until it is closed, and each connection until its
  // peer knows that it must open no more.
  void AddSource() { sources_.fetch_add(1); }
  void RemoveSource() ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until there is none, or until `deadline`.
  void WaitUntilNoSources(Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // A call calls the first before it begins and the second when it has ended, as its last action.
  void AddCall() { calls_.fetch_add(1, std::memory_order_relaxed); }
  void RemoveCall();
  // Blocks until there is no source, no connection and no call, or until `deadline`. Returns true
  // if there is none.
  bool WaitUntilEmpty(Instant deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  IdleCalls<Scratch>* scratch() { return &scratch_; }
  IdleCalls<Stream>* idle_streams() { return &idle_streams_; }

 private:
  bool empty() const { return sources_ == 0 && calls_ == 0 && connections_ == 0; }
  void TellIfEmpty() ABSL_LOCKS_EXCLUDED(mutex_);

  const Http2Limits limits_;
  const std::vector<Service> services_;
  Http2Events* const events_;
  const std::function<void(Limit)> on_limit_;
  MemoryBudget memory_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;  // by path
  IdleCalls<Scratch> scratch_;
  IdleCalls<Stream> idle_streams_;
  std::atomic<int> streams_{0};
  std::atomic<int> calls_{0};
  std::atomic<int> connections_{0};
  std::atomic<int> sources_{0};
  std::atomic<bool> going_away_{false};
  std::atomic<bool> shedding_{false};

  mutable Mutex mutex_;
  CondVar emptied_;
  std::atomic<bool> wanted_empty_{false};
  absl::flat_hash_map<std::string, int> addresses_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Session*, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_HTTP2_CORE_H_
