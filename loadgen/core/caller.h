// Sends requests over connections and tells how they ended: one unary call for each, or streams.
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
  int slots;                     // requests under way at most, >= 1
  Nanos timeout;                 // of each request, > 0
};

// How the request in a slot ended. Called by Handle. The slot may be sent again from within.
using Ended = std::function<void(int slot, Verdict& verdict)>;

// One thread takes events from the queue and calls Handle; one thread, the same or another, sends.
class Caller {
 public:
  virtual ~Caller() = default;

  // Sends request `index` in `slot`, 0 to slots - 1, in which none is under way. Does not block.
  virtual void Send(int slot, std::size_t index) = 0;

  // Takes an event of the queue.
  virtual void Handle(void* tag, bool ok) = 0;

  // Once all requests have ended and no more are sent: ends what remains open. Events go on coming
  // until open() is false.
  virtual void Close() {}
  virtual bool open() const { return false; }

  // To be called now and then by the thread that handles: gives up what gRPC itself has no deadline
  // for.
  virtual void Tick() {}
};

std::unique_ptr<Caller> UnaryCaller(const CallerOptions& options, Ended ended);
// For a streaming protocol: one call on each connection, made again when it breaks.
std::unique_ptr<Caller> StreamCaller(const CallerOptions& options, Ended ended);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_CALLER_H_
