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
#include "base/clock.h"
#include "client/hedge_budget.h"
#include "client/reconnector.h"
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
  // `options` are valid.
  explicit ConnectionPool(ClientOptions options);

  const ClientOptions& options() const { return options_; }
  // Calls use the connections in turn; the second attempt of one uses turn + 1, and so on.
  unsigned TakeTurn() { return next_turn_.fetch_add(1, std::memory_order_relaxed); }
  Connection& At(unsigned turn) { return connections_[turn % connections_.size()]; }
  // Of options().hedge, which must be set.
  HedgeBudget& hedge_budget() { return *hedge_budget_; }

  // The instant by which a call must be answered that starts now. INVALID_ARGUMENT: the timeout is
  // not > 0.
  absl::StatusOr<Instant> Deadline(const CallOptions& call) const;

  // Makes a call by `send`, which blocks and returns what the caller will get, with deadline and
  // cancellation, and reports it. `images` is how many it has.
  absl::Status Call(const char* method, int images, const CallOptions& call,
                    const std::function<absl::Status(grpc::ClientContext&, Connection&)>& send);

  // Of each call, or attempt, when it has ended: to options().on_call_end, if there is one; and
  // broken connections are mended.
  void Report(const CallReport& report);

 private:
  const ClientOptions options_;
  std::vector<Connection> connections_;
  std::unique_ptr<Reconnector> reconnector_;
  std::atomic<unsigned> next_turn_ = 0;
  std::unique_ptr<HedgeBudget> hedge_budget_;  // null without hedging
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CONNECTION_POOL_H_
