// Converts messages to and from the bytes that gRPC carries.
#ifndef HELLOCNN_SERVER_RPC_BYTES_H_
#define HELLOCNN_SERVER_RPC_BYTES_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <cstddef>

#include "absl/status/status.h"
#include "server/rpc/classifier_v1/malformed.h"

namespace hellocnn::server {

// Returns the bytes of a message, which must have less than 2 GiB.
template <typename Message>
grpc::ByteBuffer Serialize(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own = false;
  grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own);
  return bytes;
}

// Parses `bytes` into `message` and consumes them. Returns NotA<Message> if they are not a valid
// message; the content of `message` is then unspecified. Classify and ClassifyStream use
// ReadRequest instead, which copies no pixels.
template <typename Message>
absl::Status Parse(grpc::ByteBuffer* bytes, Message* message) {
  const std::size_t size = bytes->Length();
  const bool parsed = grpc::SerializationTraits<Message>::Deserialize(bytes, message).ok();
  return parsed ? absl::OkStatus() : NotA<Message>(size);
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_BYTES_H_
