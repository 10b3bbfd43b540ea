// The client of a HelloCNN server. This header uses no type of gRPC or protobuf, so a program that
// includes it compiles without either. Link hellocnn::client.
//
//   absl::StatusOr<Client> client = Client::Create({.target = "127.0.0.1:8500"});
//   if (!client.ok()) return;
//   absl::StatusOr<Image> image = Image::Gray8(pixels);  // 1,024 grey levels
//   if (!image.ok()) return;
//   absl::StatusOr<ClassifyResult> answer = client->Classify({*image});
//   if (answer.ok()) std::cout << answer->predictions[0].label << "\n";
//
// Everything is in namespace hellocnn::client. docs/client.md explains how to choose the options.
//
// The error of a call carries the gRPC status code as the absl::StatusCode of the same number. The
// message of UNAVAILABLE names the target and says what to do. ClientOptions::retry says which
// calls are retried, and when. By default nothing is retried; with round_robin, calls that fail
// with UNAVAILABLE are.
#ifndef HELLOCNN_CLIENT_CLIENT_H_
#define HELLOCNN_CLIENT_CLIENT_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "hellocnn/client/classify_stream.h"
#include "hellocnn/client/client_options.h"
#include "hellocnn/client/client_types.h"

namespace hellocnn::client {

class ConnectionPool;

// A client of one target. Its first call opens the connections, and broken connections are
// reopened. A Client is a value: copies share the connections, and each Client::Create makes its
// own.
//
// Thread-safe, except for moving and assigning. All copies may be destroyed while ClassifyAsync
// calls and streams are in flight; these continue. Besides the errors that each function names, any
// call may fail with DEADLINE_EXCEEDED or, by CallOptions::cancellation, with CANCELLED. It fails
// with UNAVAILABLE if the server is not reachable, is loading or drains. It fails with INTERNAL if
// the response breaks the protocol. Servers with access control may reject any call with
// UNAUTHENTICATED or PERMISSION_DENIED, which are never retried.
class Client {
 public:
  // Returns a client that has not connected yet. Fails with INVALID_ARGUMENT if an option is out of
  // range; the message names the option. Does not block, except to read the file of
  // ClientOptions::token, and fails if that cannot be read.
  static absl::StatusOr<Client> Create(ClientOptions options);

  // Classifies 1 to Limits::max_images_per_request images in one call, and blocks until the
  // response arrives. Fails with INVALID_ARGUMENT if there are no images or too many, or if the
  // timeout is not > 0. Fails with NOT_FOUND if CallOptions::model is not served. Fails with
  // RESOURCE_EXHAUSTED if the queue is full or the message is too large.
  absl::StatusOr<ClassifyResult> Classify(absl::Span<const Image> images,
                                          const CallOptions& options = {}) const;

  // Does the same as Classify without blocking. Copies `images`. `callback` runs exactly once: on a
  // thread of gRPC or, if the arguments are invalid, on the thread of the caller before this
  // returns. The callback must not block and must not throw; it may start further calls.
  using ClassifyCallback = std::function<void(absl::StatusOr<ClassifyResult>)>;
  void ClassifyAsync(absl::Span<const Image> images, const CallOptions& options,
                     ClassifyCallback callback) const;

  // Does the same as ClassifyAsync and returns a future. The future always becomes ready, at the
  // deadline of the call at the latest. The future may be discarded; the call continues.
  //
  //   auto first = client.ClassifyFuture({images[0]});
  //   auto second = client.ClassifyFuture({images[1]});
  //   if (first.get().ok() && second.get().ok()) std::cout << "both\n";
  std::future<absl::StatusOr<ClassifyResult>> ClassifyFuture(absl::Span<const Image> images,
                                                             const CallOptions& options = {}) const;

  // Opens a stream. Does not block. `options.timeout` bounds the whole stream. By default the
  // stream is unbounded, because each request in it has its own timeout. If connecting fails, Read
  // returns nullopt and Finish returns the error. If `options.model` is not served, each request
  // fails with NOT_FOUND, and the stream goes on. Fails with INVALID_ARGUMENT unless the timeout is
  // > 0.
  absl::StatusOr<ClassifyStream> OpenStream(CallOptions options = {}) const;

  // Returns a description of the model that CallOptions::model names, and the limits of the server.
  // Blocks. Fails with NOT_FOUND if that model is not served.
  absl::StatusOr<ModelInfo> GetModel(const CallOptions& options = {}) const;

  // Returns the versions of all models, sorted by name and then by version: those that are served,
  // and those that should be but cannot. Ignores CallOptions::model. Blocks. Fails with
  // UNIMPLEMENTED if the server is too old to know this call.
  absl::StatusOr<std::vector<ModelStatus>> ListModels(const CallOptions& options = {}) const;

  // Lets the version before the current one serve again, of the model that CallOptions::model
  // names. The version that was current is not served again before its content changes, the server
  // starts again, or UndoRollback is called. Only the server that gets the call is concerned, and
  // it must run with --model-control=on. Never retried. Blocks. Fails with PERMISSION_DENIED,
  // NOT_FOUND if the model is not served, FAILED_PRECONDITION if no lower version is loaded, and
  // UNIMPLEMENTED if the server is too old to know this call.
  absl::StatusOr<Rollback> RollBack(const CallOptions& options = {}) const;

  // Lets the version that was rolled back last serve again, once it is loaded. Blocks. Errors as
  // RollBack; FAILED_PRECONDITION if no version of the model is rolled back.
  absl::StatusOr<Rollback> UndoRollback(const CallOptions& options = {}) const;

  // Makes the server look at its folders of models now. Does not wait until it has. Blocks. Errors
  // as RollBack, but for NOT_FOUND and FAILED_PRECONDITION.
  absl::Status PollModels(const CallOptions& options = {}) const;

  // Returns the health of `service` from grpc.health.v1; "" means the server as a whole. Blocks.
  // Fails with NOT_FOUND if the server does not know the service, and with UNIMPLEMENTED if the
  // server has no health service.
  absl::StatusOr<HealthStatus> CheckHealth(const std::string& service = "",
                                           const CallOptions& options = {}) const;

  const ClientOptions& options() const;
  const std::string& target() const { return options().target; }

 private:
  explicit Client(std::shared_ptr<ConnectionPool> pool);
  std::shared_ptr<ConnectionPool> pool_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLIENT_H_
