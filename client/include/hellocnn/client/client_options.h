// The options of a Client and of a single call, and the report of each call that has ended.
// docs/client.md says when to turn on which option.
#ifndef HELLOCNN_CLIENT_CLIENT_OPTIONS_H_
#define HELLOCNN_CLIENT_CLIENT_OPTIONS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/client/client_types.h"

namespace hellocnn::client {

// Says when gRPC retries a failed call, within the deadline of the call. Applies to Classify,
// GetModel and ListModels only: requests on a stream are never retried.
//
// If the response says when to retry, gRPC retries after that time instead of the backoff. The
// server says so in `grpc-retry-pushback-ms` when its queue is full.
struct RetryOptions {
  // The largest number of times that a call is sent, including the first: 1 (no retries) to 5,
  // which is the limit of gRPC.
  int max_attempts = 4;
  // The status codes after which a call is retried: at least one, and neither OK, UNAUTHENTICATED
  // nor PERMISSION_DENIED. Add RESOURCE_EXHAUSTED to wait while the queue of the server is full, or
  // while the caller is over its rate, instead of failing at once.
  std::vector<absl::StatusCode> codes = {absl::StatusCode::kUnavailable};
  // The backoff before attempt n + 1 is random: up to initial_backoff * backoff_multiplier^(n - 1),
  // but no more than max_backoff. Both durations must be finite and at least 1 ms, and the
  // multiplier at least 1.
  absl::Duration initial_backoff = absl::Milliseconds(10);
  absl::Duration max_backoff = absl::Milliseconds(100);
  double backoff_multiplier = 3;
  // The throttle keeps retries from overloading a server that fails anyway. It is a budget of
  // throttle_tokens, 1 to 1,000. Each attempt that fails with one of `codes` costs one token. Each
  // call that succeeds returns `throttle_ratio` of a token, 0.001 to 1,000. While half of the
  // tokens or fewer are left, nothing is retried. All clients of a target in this process share the
  // budget. If throttle_tokens is 0, there is no throttle.
  int throttle_tokens = 100;
  double throttle_ratio = 0.1;
};

// Sends a Classify call again on another connection while the first attempt has no response. The
// first success counts, and the other attempts are cancelled. Hedging makes the slowest calls
// faster but needs spare capacity: an attempt that loses has cost the server its work.
struct HedgeOptions {
  // The time from the first attempt to the second, and from each further attempt to the next. > 0.
  // At about the 95th percentile of the latency, one call in twenty is hedged.
  absl::Duration after = absl::Milliseconds(50);
  // The largest number of times that a call is sent, including the first: 2 to 5.
  int max_attempts = 2;
  // The largest ratio of hedges (second and later attempts) to calls, > 0 to 1. The first ten
  // hedges are exempt. The limit keeps hedging from doubling the load when everything is slow.
  double max_share = 0.1;
};

// Describes an attempt of a call that has ended. It is reported before the caller gets the result.
struct CallReport {
  // "Classify", "ClassifyStream", "GetModel", "ListModels", "RollBack", "UndoRollback",
  // "PollModels" or "Check".
  const char* method = "";
  absl::Status status;
  absl::Duration duration;  // from the start of this attempt
  int images = 0;           // images sent; of a stream, in all its requests together
  int attempt = 1;          // 2 or more for a hedge; retries by gRPC do not count
  // True if this attempt decided the result of the call, as exactly one attempt of each call does.
  // Reports with true count the calls; reports with false count the price of hedging.
  bool decisive = true;
};

// Encrypts the connections with TLS. The server's certificate must name the host of the target.
struct TlsOptions {
  // The certificates of the authorities to trust, as PEM. If empty, those that the system trusts.
  std::string ca_certificates;
};

// The token by which a server with access control knows the caller. Each call carries it, in the
// metadata `authorization: Bearer TOKEN`. A token is 1 to 4,096 printable characters of ASCII
// without spaces.
struct TokenOptions {
  // A regular file with the token in its only line. Client::Create reads it, and fails if it cannot
  // be read. While calls are made, it is read again once a second, so a token can be replaced in
  // place. While it cannot be read or has no valid token in it, the former token stays in use.
  std::string file;
  // The token itself. Either `file` or `value` must be set, and not both.
  std::string value;
  // If false, a client without `tls` is refused unless its target is a Unix socket or an address of
  // this machine (localhost, 127.x.x.x, ::1): whoever reads a token on its way can use it.
  bool allow_plaintext = false;
};

struct ClientOptions {
  // A gRPC target: "host:port", "[ipv6]:port", "unix:/path" or "dns:///name:port".
  std::string target = "127.0.0.1:8500";
  // If unset, the connections are not encrypted.
  std::optional<TlsOptions> tls;
  // The HTTP proxy to go through: "http://host:port", "http://user:password@host:port", or
  // "environment" for the one that grpc_proxy, https_proxy or http_proxy names. If empty, there is
  // no proxy, whatever the environment has. Unix sockets, the machine itself (localhost, 127.x.x.x,
  // ::1) and the hosts that no_proxy names are reached without a proxy in any case.
  std::string proxy;
  // The timeout of each call that sets none, counted from the start of the call. Must be > 0;
  // absl::InfiniteDuration() means no deadline.
  absl::Duration default_timeout = absl::Seconds(5);
  // If true, calls go in turn to every address of the target ("dns:///name:port" with many
  // addresses, or "ipv4:ip:port,ip:port"). Addresses whose health is not SERVING are skipped. A
  // stream is one call and stays at its first address. If false, all calls of a connection go to
  // the first address that responds.
  bool round_robin = false;
  // The number of TCP connections to each address, which are used in turn: 1 to 64. One connection
  // carries tens of thousands of calls a second. More connections help if many threads of a client
  // contend for one, or if packets are lost.
  int connections = 1;
  // If unset, round_robin retries as RetryOptions() says, because another server may succeed.
  // Without round_robin, nothing is retried. (gRPC itself may resend a call that never left this
  // machine.)
  std::optional<RetryOptions> retry;
  // If unset, calls are not hedged. Hedging needs another connection: set round_robin, or more than
  // one connection.
  std::optional<HedgeOptions> hedge;
  // If a connection has calls in flight and receives nothing for keepalive_interval, gRPC pings the
  // server. If no response arrives within keepalive_timeout, the calls fail with UNAVAILABLE and
  // gRPC reconnects. Both are at least 1 ms. If the interval is infinite, gRPC never pings. Then,
  // if a firewall silently drops a connection, every call on it exceeds its deadline for minutes.
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // The largest backoff between failed attempts to connect. The backoff grows up to it from 100 ms,
  // or from this value if it is less, and varies at random by a fifth. Must be finite and at least
  // 1 ms.
  absl::Duration max_reconnect_backoff = absl::Seconds(10);
  // Called for each attempt that has ended, on a thread of gRPC or of the caller, possibly on
  // several at once. Must not block, throw or destroy the client. Not called for calls that are
  // rejected before they are sent.
  std::function<void(const CallReport&)> on_call_end;
  // If unset, calls carry no token. With round_robin and without `tls`, gRPC follows the health of
  // the addresses without the token.
  std::optional<TokenOptions> token;
};

// Ends calls early. A Cancellation is a value: copies cancel the same calls. Thread-safe.
//
//   Cancellation cancellation;
//   client.ClassifyAsync(images, {.cancellation = cancellation}, callback);
//   cancellation.Cancel();  // the callback gets CANCELLED, unless the response was faster
class Cancellation {
 public:
  Cancellation();

  // Ends all calls and streams that use this Cancellation with CANCELLED, including calls that
  // start later. Does not wait for them to end. Callbacks may run before it returns. Further calls
  // have no effect.
  void Cancel() const;

 private:
  friend class CancellationRegistration;
  struct State;
  std::shared_ptr<State> state_;
};

// How urgent a request is, among those that wait in the server. While requests of normal priority
// wait, the server classifies fewer images of low priority, but always some.
enum class Priority { kNormal, kLow };

struct CallOptions {
  // Must be > 0; absl::InfiniteDuration() means no deadline. If unset,
  // ClientOptions::default_timeout applies.
  std::optional<absl::Duration> timeout;
  std::optional<Cancellation> cancellation;
  // Of Classify, and of all requests of a stream. Servers that do not know it ignore it.
  Priority priority = Priority::kNormal;
  // Of Classify and GetModel, and of all requests of a stream. If empty, it is the server's default
  // model. Servers that do not know this field ignore it and use their only model, which
  // ClassifyResult and ModelInfo name.
  ModelVersion model;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLIENT_OPTIONS_H_
