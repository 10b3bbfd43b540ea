// Requests to classify images, read where gRPC has put their bytes. All validation of input is
// here.
#ifndef HELLOCNN_SERVER_RPC_REQUEST_H_
#define HELLOCNN_SERVER_RPC_REQUEST_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::server {

// What a ClassifyRequest or a ClassifyStreamRequest says.
struct Request {
  // Views of the pixels. INVALID_ARGUMENT names the image, what was found and what was wanted: no
  // image, more than allowed, pixels unset, of the wrong size or not finite.
  absl::StatusOr<std::span<ImageView>> images;

  // Of a ClassifyStreamRequest.
  std::uint64_t id = 0;
  // InfiniteDuration if it is unset. INVALID_ARGUMENT: out of Duration's range or not > 0.
  absl::StatusOr<absl::Duration> timeout = absl::InfiniteDuration();
};

// Reads `bytes` as a Message, one of the two. Takes and refuses what protobuf's own parser does,
// which would copy the pixels of each image into a string of its own. The views, which are on
// `arena`, point into `bytes`, so these must outlive them and stay as they are; or to a copy on
// `arena`, if gRPC has received an image in two pieces. NotA<Message> if it is none. Thread-safe
// for different arguments; does not block.
template <typename Message>
absl::StatusOr<Request> ReadRequest(grpc::ByteBuffer* bytes, int max_images,
                                    google::protobuf::Arena* arena);
template <>
absl::StatusOr<Request> ReadRequest<v1::ClassifyRequest>(grpc::ByteBuffer* bytes, int max_images,
                                                         google::protobuf::Arena* arena);
template <>
absl::StatusOr<Request> ReadRequest<v1::ClassifyStreamRequest>(grpc::ByteBuffer* bytes,
                                                               int max_images,
                                                               google::protobuf::Arena* arena);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REQUEST_H_
