// Sends requests over connections and reports how they ended. A request is a unary call, or a
// message on a stream.
#ifndef HELLOCNN_LOADGEN_CORE_CALLER_H_
#define HELLOCNN_LOADGEN_CORE_CALLER_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include <functional>
#include <memory>
#include <vector>

#include "loadgen/core/arrivals.h"
#include "loadgen/core/protocol.h"

namespace hellocnn::load {

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

struct CallerOptions {
  const Protocol* protocol;      // outlives the caller
  Channels channels;             // at least one
  grpc::CompletionQueue* queue;  // outlives the caller
  int slots;                     // most requests in flight, >= 1
  Nanos timeout;                 // of each request, > 0
};

// Receives how the request in a slot ended. Handle calls it. The callback may send in the slot
// again.
using Ended = std::function<void(int slot, Verdict& verdict)>;

// One thread takes events from the queue and calls Handle. One thread, the same or another, sends.
class Caller {
 public:
  virtual ~Caller() = default;

  // Sends request `index` in `slot`, 0 to slots - 1, which must have no request in flight. Does not
  // block.
  virtual void Send(int slot, std::size_t index) = 0;

  // Handles an event that was taken from the queue.
  virtual void Handle(void* tag, bool ok) = 0;

  // Finishes the calls that are still open. To be called once all requests have ended and no more
  // are sent. Events continue to arrive until open() is false.
  virtual void Finish() {}
  // Cancels the requests in flight, which then end with CANCELLED. To be called by the thread that
  // handles events, once no more are sent.
  virtual void Cancel() = 0;
  virtual bool open() const { return false; }

  // Gives up requests for which gRPC itself has no deadline. To be called regularly by the thread
  // that handles events.
  virtual void Tick() {}
};

std::unique_ptr<Caller> UnaryCaller(const CallerOptions& options, Ended ended);
// For a streaming protocol. Keeps one call on each connection, and opens a new one when it breaks.
std::unique_ptr<Caller> StreamCaller(const CallerOptions& options, Ended ended);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_CALLER_H_
