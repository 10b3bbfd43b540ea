// What stands behind ClassifyStream.
#ifndef HELLOCNN_CLIENT_STREAM_H_
#define HELLOCNN_CLIENT_STREAM_H_

#include <grpcpp/client_context.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cancellation.h"
#include "client/connection_pool.h"
#include "hellocnn/client/classify_stream.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

struct ClassifyStream::Impl {
  using Call =
      grpc::ClientReaderWriterInterface<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;

  Impl(std::shared_ptr<ConnectionPool> connections, absl::Time deadline,
       const std::optional<Cancellation>& cancellation);
  // Finishes the stream, cancelling what is left of it.
  ~Impl();

  // Blocks until the stream has ended; reports it, the first time.
  const absl::Status& Finish();

  const std::shared_ptr<ConnectionPool> pool;
  const std::shared_ptr<grpc::ClientContext> context = std::make_shared<grpc::ClientContext>();
  const CancellationRegistration registration;
  const absl::Time start = absl::Now();
  std::unique_ptr<Call> call;
  std::atomic<int> images = 0;            // sent; read by Finish, on any thread
  std::atomic<bool> half_closed = false;  // set by the writer, read by Finish on any thread
  std::optional<absl::Status> finished;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_STREAM_H_
