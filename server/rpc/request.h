// Reads requests to classify images from gRPC's buffers.
#ifndef HELLOCNN_SERVER_RPC_REQUEST_H_
#define HELLOCNN_SERVER_RPC_REQUEST_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "server/rpc/classifier_v1/request_reader.h"

namespace hellocnn::server {

// Does the same as ReadRequest of request_reader.h. The views point into `bytes`, which must
// outlive them and must not change.
template <typename Message>
absl::StatusOr<Request> ReadRequest(grpc::ByteBuffer* bytes, int max_images,
                                    google::protobuf::Arena* arena) {
  const std::size_t size = bytes->Length();
  grpc::ProtoBufferReader slices(bytes);
  return ReadRequest<Message>(RequestBytes{&slices, size}, max_images, arena);
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REQUEST_H_
