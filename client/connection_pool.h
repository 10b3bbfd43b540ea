// The connections of a Client, and what its calls have in common.
#ifndef HELLOCNN_CLIENT_CONNECTION_POOL_H_
#define HELLOCNN_CLIENT_CONNECTION_POOL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/hedge_budget.h"
#include "client/proxy.h"
#include "client/reconnector.h"
#include "client/server_probe.h"
#include "client/token.h"
#include "hellocnn/client/client_options.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

struct Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ClassifierService::Stub> stub;
};

// Thread-safe.
class ConnectionPool {
 public:
  // `options` must be valid. Calls carry `token`, unless that is null.
  ConnectionPool(ClientOptions options, const std::shared_ptr<TokenSource>& token);

  const ClientOptions& options() const { return options_; }
  // Returns the target for messages, with what there is to say about a proxy.
  const std::string& shown_target() const { return shown_target_; }
  // Returns the turn of a new call. Calls use the connections in turn; the second attempt of a call
  // uses turn + 1, and so on.
  unsigned TakeTurn() { return next_turn_.fetch_add(1, std::memory_order_relaxed); }
  Connection& At(unsigned turn) { return connections_[turn % connections_.size()]; }
  // Returns the budget of options().hedge, which must be set.
  HedgeBudget& hedge_budget() { return *hedge_budget_; }

  // Returns the deadline of a call that starts now. Fails with INVALID_ARGUMENT if the timeout is
  // not > 0.
  absl::StatusOr<Instant> Deadline(const CallOptions& call) const;

  // Makes a call of `images` images with a deadline and cancellation, reports it, and returns its
  // status. `send` makes the call: it blocks and returns the status of gRPC. If it could not
  // connect, the status says what the server speaks instead. To find that out, this may block up
  // to 2 s more, but not beyond the deadline, and while a name is looked up.
  absl::Status Call(const char* method, int images, const CallOptions& call,
                    const std::function<absl::Status(grpc::ClientContext&, Connection&)>& send);

  // Reports a call or an attempt that has ended to options().on_call_end, if that is set. After
  // UNAVAILABLE, also starts to reconnect broken connections. Must be called for each call or
  // attempt.
  void Report(const CallReport& report);

 private:
  // Returns a status that says what the server speaks, if `status` is due to that.
  absl::Status Explain(absl::Status status, Instant deadline);

  const ClientOptions options_;
  const std::vector<HostPort> addresses_;  // none for a Unix socket
  const Proxy proxy_;
  const std::string shown_target_;
  Mutex mutex_;
  Protocol probed_ ABSL_GUARDED_BY(mutex_) = Protocol::kUnknown;
  Instant probe_again_ ABSL_GUARDED_BY(mutex_);
  std::vector<Connection> connections_;
  std::unique_ptr<Reconnector> reconnector_;
  std::atomic<unsigned> next_turn_ = 0;
  std::unique_ptr<HedgeBudget> hedge_budget_;  // null without hedging
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CONNECTION_POOL_H_
