// How calls reach the server, and how their responses leave it. The calls of all services know only
// this file. There are two implementations: grpc/, on gRPC's completion queue, and http2/, on
// libnghttp2.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_TRANSPORT_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_TRANSPORT_H_

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/access/right.h"
#include "server/rpc/errors/error_trailers.h"
#include "server/runtime/event_queue.h"

namespace hellocnn::server {

class Principal;

// The bytes of one message, in memory of the transport. Thread-compatible.
class Message {
 public:
  virtual ~Message() = default;

  virtual std::size_t size() const = 0;
  // Returns the bytes, from the first one on, in the pieces in which they were received. The pieces
  // stay in place until the message is changed. The stream belongs to the message and is valid
  // until the next call.
  virtual google::protobuf::io::ZeroCopyInputStream* Pieces() = 0;
  // Replaces the content with `size` bytes, which the caller must write.
  virtual std::span<std::uint8_t> Allocate(std::size_t size) = 0;
  // Frees the memory.
  virtual void Clear() = 0;
};

// The transport's side of one call. Its functions do not block. They may be called on any thread,
// by one thread at a time unless stated otherwise.
class Rpc {
 public:
  virtual ~Rpc() = default;

  // Returns the time by Clock::Monotonic() at which the caller gives up, or InfiniteFuture.
  // It was converted once, when the call arrived, so it does not move when the wall clock is set.
  virtual Instant deadline() const = 0;
  // Returns the same number for all calls of a caller: of an authenticated principal or else of a
  // network address. A Unix socket is one address. Different callers have different numbers, unless
  // chance will have it. The numbers mean nothing beyond this process.
  virtual std::uint64_t caller() const = 0;
  // Returns who calls, once that is known; null if everybody may do everything. The transport or a
  // guard (core/guard.h) sets it, before the handler is called.
  const std::shared_ptr<const Principal>& principal() const { return principal_; }
  void set_principal(std::shared_ptr<const Principal> principal) {
    principal_ = std::move(principal);
  }
  // Returns the first value that the caller has sent for `key`, which must be in lower case. The
  // view is valid until OnEnd. Thread-safe until then.
  virtual std::optional<std::string_view> Metadata(std::string_view key) const = 0;
  // Returns who calls, for people to read: "10.0.0.1", for example. Thread-safe until
  // OnEnd.
  virtual std::string Peer() const = 0;
  // Returns the subject alternative names of the certificate that the caller has proved to have,
  // each with its kind, such as "DNS:shop.example" or "URI:spiffe://example.org/shop"; see
  // server/tls/certificate_names.h. Empty without a certificate. Thread-safe until OnEnd.
  virtual std::vector<std::string> CertificateNames() const = 0;

  // Adds metadata that the caller gets before the first response. Must be called before Finish, and
  // before Write. Key and value are those of a Trailer.
  virtual void AddInitialMetadata(std::string_view key, std::string_view value) = 0;
  // Ends the call with a status. Must be called exactly once. Any code is sent as it is, with the
  // details of ErrorTrailers before `trailers`. When the
  // function returns, the call and its handler may be gone, unless an On… function is running or
  // Hold was called.
  virtual void Finish(const absl::Status& status, std::span<const Trailer> trailers) = 0;
  void Finish(const absl::Status& status) { Finish(status, {}); }

  // Hold keeps the call and its handler until Release, which must be the last use of both by the
  // thread that calls it. Thread-safe.
  virtual void Hold() = 0;
  virtual void Release() = 0;

 private:
  std::shared_ptr<const Principal> principal_;
};

// A call with one request and one response.
class UnaryRpc : public Rpc {
 public:
  // Returns the request, which is valid from OnCall until Finish.
  virtual Message* request() = 0;
  // Returns the response, which is empty at first. Finish sends it if the status is OK.
  virtual Message* response() = 0;
};

// A call with any number of requests and responses in any order.
class StreamRpc : public Rpc {
 public:
  // Returns an empty message, which may be used for any number of reads and writes.
  virtual std::unique_ptr<Message> MakeMessage() = 0;
  // Starts to read the next request into `request`, which must live and stay unused until OnRead.
  // At most one read may be outstanding. While none is, flow control slows the caller down.
  virtual void Read(Message* request) = 0;
  // Starts to write `response`, which must live and stay unchanged until OnWritten. At most one
  // write may be outstanding. It ends when the transport can take the next one.
  virtual void Write(Message* response) = 0;
  // Finish (of Rpc) must not be called while a write is outstanding. An outstanding read then ends
  // with `ok` false.
};

// The server's side of one call. The transport calls these functions on the threads that handle its
// events:
//   - OnCall is the first.
//   - OnRead and OnWritten follow the operation that they end, which OnCall may have started. So
//     they may run at the same time as OnCall, as each other and as OnCancel.
//   - OnCancel follows the return of OnCall.
//   - OnEnd is the last. It runs alone, after Finish was called and all others have returned.
// None of them may block.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // Called when the call has arrived. The handler must call Finish, now or later.
  virtual void OnCall() = 0;
  // Called at most once, when the caller is gone or its deadline has passed. Finish must still be
  // called.
  virtual void OnCancel() {}
  // Called when the call has ended and nothing refers to it anymore.
  virtual void OnEnd() {}
};

class StreamHandler : public CallHandler {
 public:
  // Called when a read has ended. If not `ok`, there are no more requests.
  virtual void OnRead(bool ok) = 0;
  // Called when a write has ended. If not `ok`, the caller is gone.
  virtual void OnWritten(bool ok) = 0;
};

// A method of a service, and how to make the handlers of its calls. The `rpc` outlives the handler,
// except that others may share the ownership of a stream's handler.
struct UnaryMethod {
  std::string name;
  // The handler serves one call after another, so that a call needs no new memory.
  std::function<std::unique_ptr<CallHandler>(UnaryRpc* rpc)> make_handler;
  // The number of calls that may arrive before the first is handled without costing extra.
  int burst = 1;
  Right right = Right::kAdmin;  // that its callers need
  std::string counted_as = {};  // in metrics, if that is not its name
};
struct StreamMethod {
  std::string name;
  // The handler serves one call.
  std::function<std::shared_ptr<StreamHandler>(StreamRpc* rpc)> make_handler;
  Right right = Right::kAdmin;  // that its callers need
};
struct Service {
  std::string name;  // with its package
  std::vector<UnaryMethod> unary;
  std::vector<StreamMethod> streams;
};

// A listening server. It receives calls only while threads handle its events. Thread-safe.
//
// It goes away in three steps, which do not depend on each other: GoAway asks clients to leave,
// StopAccepting waits until they have understood, and Stop ends what is left.
class Transport {
 public:
  // Must follow Stop and the end of all threads that handle events.
  virtual ~Transport() = default;

  // Returns the address, with the port that was bound.
  virtual const std::string& address() const = 0;
  virtual EventQueue* events() = 0;
  // Returns the number of open connections. Takes a few microseconds for each.
  virtual int connections() const = 0;
  // Asks the clients of all open connections to make their next calls elsewhere, by the GOAWAY of
  // HTTP/2. The calls that they make before they know are received as ever, and so are new
  // connections, which are not asked. Does not block. gRPC's server has nothing of the kind before
  // its end, and does nothing.
  virtual void GoAway() = 0;
  // Takes no more connections, and asks the clients of all that there are, as GoAway does. Returns
  // when no further call can arrive, or after two seconds if some client has not answered. No call
  // is lost by that. The events must still be handled. gRPC's server cannot do it before its end,
  // and goes on receiving calls. Idempotent.
  virtual void StopAccepting() = 0;
  // Stops listening, and after `grace` cancels the calls that remain. Blocks until all calls have
  // ended. The events must still be handled. Idempotent.
  virtual void Stop(absl::Duration grace) = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_TRANSPORT_H_
