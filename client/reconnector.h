// Lets gRPC mend broken connections while nobody calls.
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

// gRPC's connections make progress while some thread waits in gRPC, and every 5 s besides. Calls
// with callbacks have threads that always do. A call that blocks is such a thread itself; but one
// that fails at once, because its connection is broken, waits for nothing: then a connection, its
// handshake and a question for the server's health take up to 30 s together. Thread-safe.
class Reconnector {
 public:
  using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

  explicit Reconnector(Channels channels) : channels_(std::move(channels)) {}
  // Does not wait for anything but its own thread to end, which it does at once.
  ~Reconnector();
  Reconnector(const Reconnector&) = delete;
  Reconnector& operator=(const Reconnector&) = delete;

  // If a channel is broken, a thread waits in gRPC until none is. Does not block. Does nothing if
  // there is no thread to be had.
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
