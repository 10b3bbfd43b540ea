// Lets gRPC reconnect broken connections while no call is in flight.
#ifndef HELLOCNN_CLIENT_RECONNECTOR_H_
#define HELLOCNN_CLIENT_RECONNECTOR_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::client {

// The connections of gRPC make progress while some thread waits in gRPC, and otherwise every 5 s.
// Calls with callbacks have threads that always wait. A call that blocks waits itself. But a call
// that fails at once, because its connection is broken, does not wait. Then connecting, the
// handshake and the health check take up to 30 s together. Thread-safe.
class Reconnector {
 public:
  using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

  explicit Reconnector(Channels channels) : channels_(std::move(channels)) {}
  // Blocks only until its own thread ends, which the thread does at once.
  ~Reconnector();
  Reconnector(const Reconnector&) = delete;
  Reconnector& operator=(const Reconnector&) = delete;

  // Starts a thread, if a channel is broken, that waits in gRPC until no channel is. Does not
  // block. Does nothing if no thread can be started.
  void Mend() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const Channels channels_;
  Mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::CompletionQueue queue_;  // a place to wait in gRPC
  std::thread thread_;           // only Mend and the destructor use it
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_RECONNECTOR_H_
