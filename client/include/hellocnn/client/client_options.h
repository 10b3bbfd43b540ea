// How a Client connects and what it does about failures; how one call differs from the rest; what
// is told of each call that has ended. docs/client.md says when to turn on what.
#ifndef HELLOCNN_CLIENT_CLIENT_OPTIONS_H_
#define HELLOCNN_CLIENT_CLIENT_OPTIONS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::client {

// When a call that has failed is sent again, by gRPC, within the call's deadline. Classify and
// GetModel only: what was sent on a stream is never sent again.
//
// Where the server's answer says when to come back (`grpc-retry-pushback-ms`, which it sends when
// its queue is full), the call is sent again after that time instead of the backoff.
struct RetryOptions {
  // Times that a call is sent, the first one included: 1, for never again, to 5, gRPC's own limit.
  int max_attempts = 4;
  // Codes after which it is sent again; at least one, and not OK. RESOURCE_EXHAUSTED makes sense
  // too for those who would rather wait than be told that the queue is full.
  std::vector<absl::StatusCode> codes = {absl::StatusCode::kUnavailable};
  // Before attempt n + 1: up to initial_backoff * backoff_multiplier^(n - 1), but no more than
  // max_backoff, chosen at random. Finite and at least 1 ms; the multiplier at least 1.
  absl::Duration initial_backoff = absl::Milliseconds(10);
  absl::Duration max_backoff = absl::Milliseconds(100);
  double backoff_multiplier = 3;
  // The throttle, which keeps retries from drowning a server that fails anyway. It is a budget of
  // so many tokens, 1 to 1,000; each attempt that fails with one of `codes` costs one token, each
  // call that succeeds gives `throttle_ratio` of one back, 0.001 to 1,000. While no more than half
  // of them are left, nothing is sent again. All clients of a target in this process share the
  // budget. 0 tokens: no throttle.
  int throttle_tokens = 100;
  double throttle_ratio = 0.1;
};

// Sends a Classify call again on another connection while the first attempt is still unanswered,
// and takes what comes first; the others are cancelled. For those who care about the slowest calls
// and have the capacity: an attempt that loses has cost the server its work.
struct HedgeOptions {
  // How long after the first attempt the second is sent, and after that the third. > 0.
  // About the 95th percentile of the latency hedges one call in twenty.
  absl::Duration after = absl::Milliseconds(50);
  // Times that a call is sent, the first one included: 2 to 5.
  int max_attempts = 2;
  // Second and later attempts are at most this share of the calls, > 0 to 1, but for the first
  // ten: when everything is slow, hedging must not double the load.
  double max_share = 0.1;
};

// Told of each attempt of a call that has ended, before its caller is.
struct CallReport {
  // "Classify", "ClassifyStream", "GetModel" or "Check".
  const char* method = "";
  absl::Status status;
  absl::Duration duration;  // from the start of this attempt
  int images = 0;           // that were sent; of a stream, in all its requests together
  int attempt = 1;          // 2 and on: a hedge. What gRPC sends again by itself is not counted
  // Whether it decided what the caller got: true of exactly one attempt of each call. So reports
  // with it are calls, reports without it are hedging's price.
  bool decisive = true;
};

struct ClientOptions {
  // A gRPC target: "host:port", "dns:///name:port", "unix:/path". Not encrypted.
  std::string target = "127.0.0.1:8500";
  // Deadline of each call that sets none of its own, from its start. > 0; absl::InfiniteDuration()
  // for none.
  absl::Duration default_timeout = absl::Seconds(5);
  // true: calls go in turn to every address that the target has ("dns:///name:port" of many, or
  // "ipv4:ip:port,ip:port"), except to those whose health is not SERVING. A stream is one call: it
  // stays where it began. false: all calls of a connection go to the first address that answers.
  bool round_robin = false;
  // TCP connections to each address, used in turn: 1 to 64. One carries tens of thousands of calls
  // a second; more help where many threads of a client fight for it, or packets get lost.
  int connections = 1;
  // Unset: RetryOptions() with round_robin, whose point is that another server may do, and nothing
  // is sent again without. (gRPC itself may resend what never left this machine.)
  std::optional<RetryOptions> retry;
  // Unset: no hedging. Needs another connection to use: round_robin, or connections > 1.
  std::optional<HedgeOptions> hedge;
  // A connection that has calls under way, and over which nothing has come for so long, is asked
  // for a sign of life. Not given within keepalive_timeout, its calls fail with UNAVAILABLE and it
  // is made again. At least 1 ms; an infinite interval: never, and a connection that a firewall
  // swallows fails every call by its deadline for minutes.
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // Between failed attempts to connect, the time grows from 1 s (or less, if this is less) up to
  // this. At least 1 ms, finite.
  absl::Duration max_reconnect_backoff = absl::Seconds(10);
  // Called for each attempt that has ended, on a thread of gRPC's or the caller's, from several at
  // once. Must not block, throw or destroy the client. Not called for what is refused before it is
  // sent.
  std::function<void(const CallReport&)> on_call_end;
};

// Ends calls early. A value: copies cancel the same calls. Thread-safe.
//
//   Cancellation cancellation;
//   client.ClassifyAsync(images, {.cancellation = cancellation}, callback);
//   cancellation.Cancel();  // the callback gets CANCELLED, unless the answer was faster
class Cancellation {
 public:
  Cancellation();

  // Ends all calls and streams that have been given this one with CANCELLED, and those that will
  // be. Does not wait for them. Callbacks may run before it returns. Once is enough, more does no
  // harm.
  void Cancel() const;

 private:
  friend class CancellationRegistration;
  struct State;
  std::shared_ptr<State> state_;
};

struct CallOptions {
  // > 0, or absl::InfiniteDuration() for no deadline. Unset: ClientOptions::default_timeout.
  std::optional<absl::Duration> timeout;
  std::optional<Cancellation> cancellation;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLIENT_OPTIONS_H_
