// The call behind a ClassifyStream.
#ifndef HELLOCNN_CLIENT_STREAM_H_
#define HELLOCNN_CLIENT_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/cancellation.h"
#include "client/connection_pool.h"
#include "hellocnn/client/classify_stream.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

// A bidirectional call on gRPC's callback interface. Its reactions only store what happened, so
// every wait here is a wait for `changed_`, which the end of the call signals too. Therefore,
// whatever the order of operations, each of them ends when the call ends. The constructor starts
// the call, so that the call can end even if nothing is ever sent.
//
// Must not be destroyed before Finish has returned. Has the thread-safety of ClassifyStream.
class StreamCall final
    : public grpc::ClientBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse> {
 public:
  // Starts the call. Does not block. `connection` and `context` must outlive this, and `context`
  // must be unused.
  StreamCall(Connection& connection, grpc::ClientContext& context);

  // Blocks until gRPC has taken the previous request, then hands it this one. Fails with CANCELLED
  // if the call has ended. Fails with DEADLINE_EXCEEDED if gRPC has not taken the previous request
  // by `deadline`. Fails with FAILED_PRECONDITION after CloseSending. After any of these errors the
  // request was not sent.
  absl::Status Send(v1::ClassifyStreamRequest request, Instant deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until a response arrives. Returns nullopt if the call has ended.
  std::optional<v1::ClassifyStreamResponse> Read() ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the server that no more requests follow, once all requests have been sent. Does not
  // block.
  void CloseSending() ABSL_LOCKS_EXCLUDED(mutex_);

  // Discards the responses that have not been read, and blocks until the server has ended the call.
  // Returns the status of the call. Must be called after CloseSending, or once `context` is
  // cancelled.
  grpc::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the number of images that gRPC has taken.
  int images() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritesDoneDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  // The operation to start once the lock is released.
  enum class Next { kNothing, kCloseSending, kLetGo };
  // Returns the next operation, and each operation once. Must be called after each change of the
  // members below.
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Next next) ABSL_LOCKS_EXCLUDED(mutex_);

  // gRPC reads and writes these from StartRead or StartWrite until the reaction to that operation.
  v1::ClassifyStreamResponse incoming_;
  v1::ClassifyStreamRequest outgoing_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;   // StartRead is in flight
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  // StartWrite or StartWritesDone is in flight
  bool responses_end_ ABSL_GUARDED_BY(mutex_) = false;  // no more responses will arrive
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool close_wanted_ ABSL_GUARDED_BY(mutex_) = false;  // CloseSending was called
  bool close_sent_ ABSL_GUARDED_BY(mutex_) = false;
  bool let_go_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more will be started
  int images_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

struct ClassifyStream::Impl {
  Impl(std::shared_ptr<ConnectionPool> connections, Instant deadline, const CallOptions& options);
  // Cancels the stream if it is not finished, and blocks until gRPC has released it.
  ~Impl();

  // Ends the stream at once. Thread-safe.
  void Cancel();

  // Blocks until the stream has ended, and returns its status. The first call also reports it.
  const absl::Status& Finish();

  const std::shared_ptr<ConnectionPool> pool;
  const Priority priority;
  const ModelVersion model;
  const std::shared_ptr<grpc::ClientContext> context = std::make_shared<grpc::ClientContext>();
  const CancellationRegistration registration;
  std::atomic<bool> cancelled = false;  // by Cancel, not by `registration`
  const Instant start = Clock::Monotonic()->Now();
  std::optional<StreamCall> call;
  std::optional<absl::Status> finished;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_STREAM_H_
