// Client of a HelloCNN server. No type of gRPC or protobuf appears here, so that a program which
// uses this header compiles without either. Link hellocnn::client.
//
//   absl::StatusOr<Client> client = Client::Create({.target = "127.0.0.1:8500"});
//   if (!client.ok()) return;
//   absl::StatusOr<Image> image = Image::Gray8(pixels);  // 1,024 grey levels
//   if (!image.ok()) return;
//   absl::StatusOr<ClassifyResult> answer = client->Classify({*image});
//   if (answer.ok()) std::cout << answer->predictions[0].label << "\n";
//
// All is in namespace hellocnn::client. docs/client.md tells how to choose the options.
//
// Errors of calls carry the gRPC status code as the absl::StatusCode of the same number.
// UNAVAILABLE names the target and says what to do. What is sent again, and when, is in
// ClientOptions::retry: by default nothing, but with round_robin what fails with UNAVAILABLE.
#ifndef HELLOCNN_CLIENT_CLIENT_H_
#define HELLOCNN_CLIENT_CLIENT_H_

#include <functional>
#include <future>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "hellocnn/client/classify_stream.h"
#include "hellocnn/client/client_options.h"
#include "hellocnn/client/client_types.h"

namespace hellocnn::client {

class ConnectionPool;

// Connections to one target, made at the first call and made again when they break. A value:
// copies share the connections, each Client::Create makes its own.
//
// Thread-safe, but for moving and assigning. All copies may be destroyed while ClassifyAsync calls
// and streams are open: they go on. Calls may fail with DEADLINE_EXCEEDED, CANCELLED (by
// CallOptions::cancellation), UNAVAILABLE (not reachable, loading or draining) and INTERNAL (an
// answer that breaks the protocol) besides what each says.
class Client {
 public:
  // Does not connect, and does not block. INVALID_ARGUMENT names the option that is out of range.
  static absl::StatusOr<Client> Create(ClientOptions options);

  // Classifies 1 to Limits::max_images_per_request images together; blocks until answered.
  // INVALID_ARGUMENT: none, too many, or a timeout that is not > 0. RESOURCE_EXHAUSTED: the queue
  // is full, or the message too large.
  absl::StatusOr<ClassifyResult> Classify(absl::Span<const Image> images,
                                          const CallOptions& options = {}) const;

  // As Classify, without blocking. `images` are copied. `callback` runs exactly once: on a thread
  // of gRPC, or, if the arguments are refused, on the caller's before this returns. It must not
  // block and must not throw; it may start further calls.
  using ClassifyCallback = std::function<void(absl::StatusOr<ClassifyResult>)>;
  void ClassifyAsync(absl::Span<const Image> images, const CallOptions& options,
                     ClassifyCallback callback) const;

  // As ClassifyAsync. The future is always made ready, at the call's deadline at the latest, and
  // may be dropped: the call goes on.
  //
  //   auto first = client.ClassifyFuture({images[0]});
  //   auto second = client.ClassifyFuture({images[1]});
  //   if (first.get().ok() && second.get().ok()) std::cout << "both\n";
  std::future<absl::StatusOr<ClassifyResult>> ClassifyFuture(absl::Span<const Image> images,
                                                             const CallOptions& options = {}) const;

  // Opens a stream; does not block. `options.timeout` bounds the whole stream, by default it is
  // unbounded, as each request in it has a timeout. Failure to connect shows at Read and Finish.
  // INVALID_ARGUMENT: timeout not > 0.
  absl::StatusOr<ClassifyStream> OpenStream(CallOptions options = {}) const;

  // Describes the model served and the limits. Blocks.
  absl::StatusOr<ModelInfo> GetModel(const CallOptions& options = {}) const;

  // Asks grpc.health.v1 about `service`, "" for the server as a whole. Blocks. NOT_FOUND: the
  // server does not know the service. UNIMPLEMENTED: it has no health service.
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
