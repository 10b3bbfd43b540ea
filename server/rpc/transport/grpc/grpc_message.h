// A message in gRPC's memory.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_MESSAGE_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_MESSAGE_H_

#include <grpc/slice.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

class GrpcMessage final : public Message {
 public:
  std::size_t size() const override { return bytes_.Length(); }
  google::protobuf::io::ZeroCopyInputStream* Pieces() override { return &pieces_.emplace(&bytes_); }
  std::span<std::uint8_t> Allocate(std::size_t size) override {
    Clear();
    // Not grpc_slice_malloc, which keeps few bytes in the slice itself, where they would move.
    const grpc::Slice slice(grpc_slice_malloc_large(size), grpc::Slice::STEAL_REF);
    grpc::ByteBuffer bytes(&slice, 1);
    bytes_.Swap(&bytes);
    return {const_cast<std::uint8_t*>(slice.begin()), size};
  }
  void Clear() override {
    pieces_.reset();
    bytes_.Clear();
  }

  // Returns the bytes for gRPC, which reads or replaces them.
  grpc::ByteBuffer* bytes() { return &bytes_; }

 private:
  grpc::ByteBuffer bytes_;
  std::optional<grpc::ProtoBufferReader> pieces_;  // of the last call of Pieces
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_MESSAGE_H_
