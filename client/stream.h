// What stands behind ClassifyStream.
#ifndef HELLOCNN_CLIENT_STREAM_H_
#define HELLOCNN_CLIENT_STREAM_H_

#include <grpcpp/client_context.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "hellocnn/client.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

struct ClassifyStream::Impl {
  using Call =
      grpc::ClientReaderWriterInterface<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;

  std::shared_ptr<void> owner;  // keeps the channel
  std::string target;
  absl::Duration default_timeout;
  grpc::ClientContext context;
  std::unique_ptr<Call> call;
  std::atomic<bool> half_closed = false;  // set by the writer, read by Finish on any thread
  std::optional<absl::Status> finished;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_STREAM_H_
